#!/bin/sh
# Builds the stand-in for vssapi.dll. Its path then goes to the tests that are run under Wine:
#   hyperv/vss/tests/stand_in/build.sh /tmp/vss_stand_in.dll
#   LIFEBOAT_VSS_STAND_IN='Z:\tmp\vss_stand_in.dll' CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=wine \
#       cargo test --target x86_64-pc-windows-gnu -p vss --lib
set -eu
cd "$(dirname "$0")"
exec x86_64-w64-mingw32-g++ -std=c++17 -O1 -Wall -Wextra -Werror -Wno-unused-parameter \
    -shared -static -o "$1" record.cpp vssapi.cpp -lole32 -loleaut32 -luuid
