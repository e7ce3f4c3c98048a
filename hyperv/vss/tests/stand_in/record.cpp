#include "record.h"

#include <map>

namespace {
SRWLOCK guard = SRWLOCK_INIT;
std::string lines;
std::map<std::string, int> script;
std::map<std::string, int> alive;

// This compiler may come without threads of C++.
struct Held {
    Held() { AcquireSRWLockExclusive(&guard); }
    ~Held() { ReleaseSRWLockExclusive(&guard); }
};
}  // namespace

void record(const std::string& line) {
    Held held;
    lines += line + "\n";
}

int told(const std::string& name, int otherwise) {
    Held held;
    auto found = script.find(name);
    return found == script.end() ? otherwise : found->second;
}

HRESULT called(const char* method, const std::string& arguments) {
    record(arguments.empty() ? method : std::string(method) + " " + arguments);
    int hang = told(std::string("hang ") + method, 0);
    if (hang > 0) Sleep(hang);
    return told(method, S_OK);
}

void born(const char* what) {
    Held held;
    alive[what]++;
}

void died(const char* what) {
    Held held;
    alive[what]--;
}

std::string text(REFIID id) {
    wchar_t buffer[64];
    StringFromGUID2(id, buffer, 64);
    std::string quoted = text(static_cast<LPCWSTR>(buffer));
    return quoted.substr(1, quoted.size() - 2);
}

std::string text(LPCWSTR wide) {
    if (wide == nullptr) return "null";
    char buffer[4096];
    int length = WideCharToMultiByte(CP_UTF8, 0, wide, -1, buffer, sizeof buffer, nullptr, nullptr);
    return length > 0 ? std::string("'") + buffer + "'" : "?";
}

GUID id(int number) {
    GUID guid = {};
    guid.Data4[7] = static_cast<unsigned char>(number);
    return guid;
}

// What the test asks of the stand-in itself.
extern "C" {
__declspec(dllexport) void StandInReset() {
    Held held;
    lines.clear();
    script.clear();
}

__declspec(dllexport) void StandInTell(const char* name, int value) {
    Held held;
    script[name] = value;
}

// Writes the record, and what is alive, as text; returns its length.
__declspec(dllexport) unsigned StandInRecord(char* buffer, unsigned room) {
    Held held;
    std::string all = lines;
    for (auto& entry : alive) {
        if (entry.second != 0) all += "ALIVE " + entry.first + " " + std::to_string(entry.second) + "\n";
    }
    unsigned length = static_cast<unsigned>(all.size());
    if (length < room) all.copy(buffer, length);
    return length;
}
}
