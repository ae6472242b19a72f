"""Files that nobody can read without the vault's key, and nobody at all once their salt is gone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from photo_anonymizer.errors import PhotoAnonymizerError
from photo_anonymizer.files import exclusive, write_bytes

SALT, EXTENSION = "salt", ".sealed"
SALT_BYTES, KEY_BYTES, NONCE_BYTES = 32, 32, 12


@dataclass(frozen=True)
class SealedFolder:
    """A folder whose files are encrypted with AES-256-GCM (NIST SP 800-38D), each under a nonce of its own.

    A file is bound to its folder's and its own name: exchanged for another one it cannot be read.
    """

    path: Path
    key: bytes = field(repr=False)

    @classmethod
    def of(cls, root: Path, name: str, secret: bytes) -> SealedFolder:
        """A folder below ``root``; both are made when they are not there.

        The key is HKDF-SHA256 (RFC 5869) of the secret with a random salt that lies in ``root``: when that is deleted,
        what copies are left can be read by nobody, the secret's owner included.

        :param secret: the vault's key.
        """
        (root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive(root / f".{SALT}.lock"):
            if not (root / SALT).is_file():
                write_bytes(root / SALT, secrets.token_bytes(SALT_BYTES))
            salt = (root / SALT).read_bytes()
        return cls(root / name, HKDF(SHA256(), KEY_BYTES, salt, b"photo-anonymizer/embeddings").derive(secret))

    def write(self, name: str, data: bytes) -> None:
        """Writes a file, in place of an earlier one."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        write_bytes(self._file(name), nonce + AESGCM(self.key).encrypt(nonce, data, self._place(name)))

    def read(self, name: str) -> bytes | None:
        """What was written; ``None`` where nothing was.

        :raises PhotoAnonymizerError: the file was changed, or sealed with another key.
        """
        try:
            sealed = self._file(name).read_bytes()
        except FileNotFoundError:
            return None
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return AESGCM(self.key).decrypt(nonce, rest, self._place(name))
        except (InvalidTag, ValueError):
            raise PhotoAnonymizerError(
                "embeddings in the vault were changed or belong to another run; start a new run"
            ) from None

    def _file(self, name: str) -> Path:
        return self.path / f"{name}{EXTENSION}"

    def _place(self, name: str) -> bytes:
        return f"{self.path.name}/{name}".encode()
