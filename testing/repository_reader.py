#!/usr/bin/env python3
"""Reads a Lifeboat repository in a folder, with its password or recovery key.

Written from docs/format/repository.md alone: it shares no code with the program and proves that
the page is enough. Section numbers are that page's. It is short rather than quick, keeps nothing
that it does not need, and refuses whatever the page does not promise.

    repository_reader.py FOLDER list
    repository_reader.py FOLDER read POINT STREAM OUT
    repository_reader.py FOLDER hash POINT STREAM

The password is the first line of the file that LIFEBOAT_PASSWORD_FILE names; or
LIFEBOAT_RECOVERY_KEY_FILE names a file with a recovery key. STREAM is the number of a disk, or the
name of a stream or image. Needs blake3, cryptography (44 or later) and zstandard from PyPI.
"""

import base64
import json
import os
import struct
import sys
import tempfile
from pathlib import Path

import zstandard
from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

ZERO_NONCE = bytes(12)
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Refused(Exception):
    """What is stored is not what the page says."""


def need(condition, what):
    if not condition:
        raise Refused(what)


def derive(context, material):
    return blake3(material, derive_key_context=context).digest()


def keyed(key, content):
    return blake3(content, key=key).digest()


def decode(plain):
    """Sections 5 and 6: codec ‖ body."""
    codec, body = plain[0], plain[1:]
    need(codec in (0, 1), f"codec {codec}")
    return body if codec == 0 else zstandard.ZstdDecompressor().decompress(body)


def place_nonce(offset):
    return struct.pack("<Q", offset) + bytes(4)


class Repository:
    def __init__(self, folder):
        self.folder = Path(folder)
        parameters = self.get("lifeboat-repository")
        self.file = json.loads(parameters)
        need(self.file["format"] == "lifeboat-repository", "not a repository")
        need(self.file["version"] == 1, f"version {self.file['version']}")
        for feature in self.names("features"):
            known = [f"features/read-{name}" for name in ("domains", "forward", "sealed-packs")]
            need(not feature.startswith("features/read-") or feature in known, feature)
        self.chunk_bytes = self.file["chunk_bytes"]
        self.master = self.open_slots()
        ring = self.open_ring()
        need(ring["repository_hash"] == blake3(parameters).hexdigest(), "parameters were changed")
        self.domains = {bytes.fromhex(domain["id"]): domain for domain in ring["domains"]}
        self.data_keys = {bytes.fromhex(key["id"]): key for key in ring["data_keys"]}
        self.packs = {}
        self.forwards = {}

    # Objects (section 2)

    def get(self, name):
        return (self.folder / name).read_bytes()

    def names(self, prefix):
        root = self.folder / prefix
        found = [path for path in root.rglob("*") if path.is_file()]
        return sorted(path.relative_to(self.folder).as_posix() for path in found)

    # Keys (section 4)

    def open_slots(self):
        for name in self.names("keys"):
            slot = json.loads(self.get(name))
            need(slot["version"] == 1, f"{name}: version {slot['version']}")
            key = wrapping_key(slot)
            if key is None:
                continue
            identity = self.file["id"] + name.removeprefix("keys/")
            sealed = base64.b64decode(slot["sealed"])
            data = ("lifeboat v1 key slot" + identity).encode()
            try:
                return AESGCM(key).decrypt(sealed[:12], sealed[12:], data)
            except InvalidTag:
                continue
        raise Refused("no slot opens with this password or key")

    def open_ring(self):
        rings = [name for name in self.names("rings") if name.startswith(f"rings/{self.file['id']}-")]
        for name in reversed(rings):
            try:
                return json.loads(self.open_sealed(name, 1, lambda _: self.master))
            except InvalidTag:
                continue
        raise Refused("no key ring authenticates")

    # Sealed objects (section 5)

    def open_sealed(self, name, kind, key_of):
        data = self.get(name)
        need(data[:8] == b"LBSEAL01", f"{name}: not a sealed object")
        need(struct.unpack_from("<H", data, 8)[0] == kind, f"{name}: another kind")
        need(blake3(data[:-32]).digest() == data[-32:], f"{name}: checksum")
        key = derive("lifeboat v1 sealed object", key_of(data[16:32]) + data[:64] + name.encode())
        return decode(AESGCM(key).decrypt(ZERO_NONCE, data[64:-32], None))

    def map_key(self, domain):
        return bytes.fromhex(self.domains[domain]["map_key"])

    def points(self):
        """Section 10. Each with the domain that it belongs to."""
        for name in self.names("points"):
            domain = self.get(name)[16:32]
            point = json.loads(self.open_sealed(name, 2, self.map_key))
            need(point["version"] in (1, 2), f"{name}: version {point['version']}")
            naming = bytes.fromhex(self.domains[domain]["naming_key"])
            group = keyed(derive("lifeboat v1 group", naming), point["vm"]["identity"].encode())
            need(name == f"points/{group[:16].hex()}/{point['id']}", f"{name}: stands elsewhere")
            yield domain, point

    # Packs (section 6)

    def pack(self, pack):
        """Returns the bytes of a pack's object and its key; none where it is gone."""
        if pack not in self.packs:
            path = self.folder / "packs" / pack[:1].hex() / pack.hex()
            self.packs[pack] = None
            if path.exists():
                data = path.read_bytes()
                need(data[:8] == b"LBPACK01" and data[48:64] == pack, f"{path}: not this pack")
                need(blake3(data[:-32]).digest() == data[-32:], f"{path}: checksum")
                self.packs[pack] = (data, AESGCM(self.pack_key(data)))
        return self.packs[pack]

    def pack_key(self, data):
        kind, scheme = data[8], data[9]
        length = struct.unpack_from("<I", data, 12)[0]
        domain, key_id = data[16:32], data[32:48]
        header = data[:length]
        if scheme == 1:
            need(length == 96, "header length")
            key = self.map_key(domain) if kind == 2 else bytes.fromhex(self.data_keys[key_id]["key"])
            return derive("lifeboat v1 pack", key + header)
        need(scheme == 2 and kind == 1, f"key scheme {scheme}")
        return self.unseal_pack_key(header)

    def unseal_pack_key(self, header):
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

        count = struct.unpack_from("<H", header, 96)[0]
        at = 98
        for _ in range(count):
            key_id, length = header[at : at + 16], struct.unpack_from("<H", header, at + 16)[0]
            sealed = header[at + 18 : at + 18 + length]
            at += 18 + length
            if key_id not in self.data_keys or length != 80:
                continue
            private = X25519PrivateKey.from_private_bytes(bytes.fromhex(self.data_keys[key_id]["key"]))
            public = private.public_key().public_bytes_raw()
            ephemeral = sealed[:32]
            shared = private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
            key = derive("lifeboat v1 sealed pack key", shared + ephemeral + public + self.map_key(header[16:32]))
            return AESGCM(key).decrypt(ZERO_NONCE, sealed[32:], header[:96])
        raise Refused("the pack is sealed to keys that are not here")

    def frame(self, domain, name, pack, offset, stored_bytes, hops=8):
        content = self.frame_here(name, pack, offset, stored_bytes)
        if content is not None:
            return content
        need(hops > 0, "forwarded too often")
        for place in self.forwarded(pack).get(offset, []):
            try:
                return self.frame(domain, name, *place, hops - 1)
            except Refused:
                continue
        raise Refused(f"pack {pack.hex()} lacks the frame at {offset}, and none leads on from it")

    def frame_here(self, name, pack, offset, stored_bytes):
        """The plain bytes of a frame; none where the pack does not have it whole."""
        found = self.pack(pack)
        if found is None:
            return None
        data, key = found
        try:
            return decode(key.decrypt(place_nonce(offset), data[offset : offset + stored_bytes], name))
        except (InvalidTag, ValueError):
            return None

    def forwarded(self, pack):
        """Section 11: where frames of a pack lie by now, by their old offset."""
        if pack not in self.forwards:
            places = {}
            for name in self.names(f"forward/{pack.hex()}"):
                body = self.open_sealed(name, 6, self.map_key)
                for number in range(struct.unpack_from("<I", body)[0]):
                    old, new, offset, stored = struct.unpack_from("<I16sII", body, 4 + 28 * number)
                    places.setdefault(old, []).append((new, offset, stored))
            self.forwards[pack] = places
        return self.forwards[pack]

    # Disk maps (section 8)

    def chunks(self, domain, stream):
        """Yields for each chunk of a stream its offset, length and content; none for zeros."""
        size = stream["size_bytes"]
        if size == 0:
            return
        root = stream["root"]
        naming = bytes.fromhex(self.domains[domain]["naming_key"])
        locator = (bytes.fromhex(root["pack"]), root["offset"], root["stored_bytes"])
        yield from self.node(
            domain, naming, size, root["level"], 0, bytes.fromhex(root["name"]), locator
        )

    def node(self, domain, naming, size, level, index, name, locator):
        node = self.frame(domain, name, *locator)
        need(node[0] == level <= 6 and node[1] == 0, "a node of another level")
        count = struct.unpack_from("<H", node, 2)[0]
        kinds = node[4 : 4 + count]
        stored = kinds.count(2)
        end = 4 + count + 32 * stored
        canonical = node[:end]
        node_key = derive("lifeboat v1 map node", naming)
        need(keyed(node_key, canonical) == name, "a node under another name")
        names = [canonical[end - 32 * (stored - n) :][:32] for n in range(stored)]
        packs_count = struct.unpack_from("<H", node, end)[0]
        places = end + 2 + 16 * packs_count
        need(len(node) == places + 10 * stored, "a node of another length")
        seen = 0
        span = self.chunk_bytes * 256**level
        for slot, kind in enumerate(kinds):
            offset = (index * 256 + slot) * span
            length = min(span, size - offset)
            need(length > 0 and kind in (0, 1, 2, 3), "an entry past the end")
            if kind != 2:
                yield offset, length, None
                continue
            number, at, stored_bytes = struct.unpack_from("<HII", node, places + 10 * seen)
            pack = node[end + 2 + 16 * number :][:16]
            child, seen = names[seen], seen + 1
            if level > 0:
                place = (pack, at, stored_bytes)
                yield from self.node(domain, naming, size, level - 1, index * 256 + slot, child, place)
                continue
            content = self.frame(domain, child, pack, at, stored_bytes)
            need(len(content) == length, "a chunk of another length")
            need(keyed(naming, content) == child, "a chunk under another name")
            yield offset, length, content


def wrapping_key(slot):
    """The key that a slot is sealed under, where we have what it takes."""
    kdf = slot["kdf"]
    salt = bytes.fromhex(kdf["salt"])
    if kdf["name"] == "argon2id":
        need(kdf["memory_kib"] <= 1 << 20 and kdf["passes"] <= 64 and kdf["lanes"] <= 16, "cost")
        password = os.environ.get("LIFEBOAT_PASSWORD_FILE")
        if not password:
            return None
        secret = Path(password).read_text(encoding="utf-8").splitlines()[0]
        return Argon2id(
            salt=salt,
            length=32,
            iterations=kdf["passes"],
            lanes=kdf["lanes"],
            memory_cost=kdf["memory_kib"],
        ).derive(secret.encode())
    recovery = os.environ.get("LIFEBOAT_RECOVERY_KEY_FILE")
    if slot["kind"] == "recovery-key" and recovery:
        return derive("lifeboat v1 key slot", recovery_key(Path(recovery).read_text()) + salt)
    return None


def recovery_key(text):
    line = next(line.strip() for line in text.splitlines() if line.strip().startswith("LB1-"))
    bits = "".join(f"{ALPHABET.index(letter):05b}" for letter in line[4:].replace("-", ""))
    need(len(bits) == 260, "a recovery key of another length")
    key = int(bits[:256], 2).to_bytes(32, "big")
    need(f"{blake3(key).digest()[0] >> 4:04b}" == bits[256:], "a typing error in the recovery key")
    return key


def read_stream(repository, wanted, which, out):
    for domain, point in repository.points():
        if point["id"] != wanted:
            continue
        for stream in point["streams"] + point.get("images", []):
            is_disk = stream["role"] == "disk" and which == str(stream["number"])
            if not is_disk and stream["name"] != which:
                continue
            with open(out, "wb") as file:
                file.truncate(stream["size_bytes"])
                for offset, _, content in repository.chunks(domain, stream):
                    if content is not None:
                        file.seek(offset)
                        file.write(content)
            return
    raise Refused(f"there is no {which} in a point {wanted}")


def main(arguments):
    repository = Repository(arguments[0])
    match arguments[1:]:
        case ["list"]:
            for _, point in sorted(repository.points(), key=lambda pair: pair[1]["started"]):
                for stream in point["streams"] + point.get("images", []):
                    fields = ("role", "number", "name", "size_bytes")
                    about = {field: stream[field] for field in fields}
                    print(json.dumps({"point": point["id"], "vm": point["vm"]["name"], **about}))
        case ["read", point, which, out]:
            read_stream(repository, point, which, out)
        case ["hash", point, which]:
            with tempfile.NamedTemporaryFile() as out:
                read_stream(repository, point, which, out.name)
                print(blake3(Path(out.name).read_bytes()).hexdigest())
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refused as refused:
        sys.exit(f"refused: {refused}")
