"""Key files: OpenSSL makes them, we read them; every other kind is refused by name."""

from __future__ import annotations

import hashlib
import subprocess
from datetime import date
from pathlib import Path

import pytest

from builders import keys as sample
from builders.tools import require
from teekit_verify.core.errors import TeekitError
from teekit_verify.reference.signing import keys


def _openssl(*arguments: str | Path) -> bytes:
    return subprocess.run([require("openssl"), *map(str, arguments)], capture_output=True, check=True).stdout


def _generate(folder: Path, *arguments: str, name: str = "key.pem") -> tuple[Path, Path]:
    private, public = folder / name, folder / f"public-{name}"
    _openssl("genpkey", *arguments, "-out", private)
    _openssl("pkey", "-in", private, "-pubout", "-out", public)
    return private, public


ED25519 = ("-algorithm", "ed25519")
RSA = ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
P256 = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


@pytest.mark.parametrize("arguments", [ED25519, P256, RSA])
def test_openssl_verifies_what_we_sign_and_names_the_key_as_we_do(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    private, public = _generate(tmp_path, *arguments)
    key = keys.load_signing_key(private)
    data, signature = tmp_path / "data", tmp_path / "signature"
    data.write_bytes(b"some bytes")
    signature.write_bytes(key.sign(b"some bytes"))
    digest = () if arguments is ED25519 else ("-digest", "sha256")
    check = ("pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", *digest, "-in", data, "-sigfile", signature)
    assert b"Signature Verified Successfully" in _openssl(*check)
    assert key.id == hashlib.sha256(_openssl("pkey", "-pubin", "-in", public, "-outform", "DER")).hexdigest()
    assert key.sign(b"some bytes") == signature.read_bytes(), "the same signature every time"


@pytest.mark.parametrize("arguments", [ED25519, P256, RSA])
def test_we_verify_what_openssl_signs(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    private, public = _generate(tmp_path, *arguments)
    (tmp_path / "trusted").mkdir()
    public.rename(tmp_path / "trusted/alice.pem")
    (tmp_path / "data").write_bytes(b"some bytes")
    digest = () if arguments is ED25519 else ("-digest", "sha256")
    signature = _openssl("pkeyutl", "-sign", "-inkey", private, "-rawin", *digest, "-in", tmp_path / "data")
    (key,) = keys.load_trusted_keys(tmp_path / "trusted")
    assert key.owner == "alice"
    assert key.made(signature, b"some bytes")
    assert not key.made(signature, b"some bytes.")
    assert not key.made(signature[:-1], b"some bytes")
    assert not key.made(b"", b"some bytes")


OTHERS = [
    (("-algorithm", "ed448"), "is an Ed448 key"),
    (("-algorithm", "x25519"), "is an X25519 key"),
    (("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"), "is a key on the curve secp384r1"),
    (("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"), "is a key on the curve secp256k1"),
]


@pytest.mark.parametrize(("arguments", "message"), OTHERS, ids=[message for _, message in OTHERS])
def test_other_kinds_are_refused_by_name(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    private, public = _generate(tmp_path, *arguments)
    with pytest.raises(TeekitError, match=message) as refused:
        keys.load_signing_key(private)
    assert refused.value.hint == "Only Ed25519, ECDSA P-256 and RSA keys are used."
    (tmp_path / "trusted").mkdir()
    public.rename(tmp_path / "trusted/alice.pem")
    with pytest.raises(TeekitError, match=message):
        keys.load_trusted_keys(tmp_path / "trusted")


WEAK = [
    (("-pkeyopt", "rsa_keygen_bits:1024"), "is an RSA key of 1024 bits, expected 2048 to 4096"),
    (("-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_keygen_pubexp:3"), "with the public exponent 3, expected"),
]


@pytest.mark.parametrize(("arguments", "message"), WEAK, ids=["short", "small exponent"])
def test_weak_rsa_keys_are_refused(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    private, public = _generate(tmp_path, "-algorithm", "RSA", *arguments)
    with pytest.raises(TeekitError, match=message):
        keys.load_signing_key(private)
    (tmp_path / "trusted").mkdir()
    public.rename(tmp_path / "trusted/alice.pem")
    with pytest.raises(TeekitError, match=message):
        keys.load_trusted_keys(tmp_path / "trusted")


@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_rsa_signatures_of_hardware_that_pads_by_pss(tmp_path: Path, digest: str) -> None:
    """RFC 8017, section 8.1, made by OpenSSL with a salt as long as the digest; another digest is another scheme."""
    private, public = _generate(tmp_path, *RSA)
    (tmp_path / "trusted").mkdir()
    public.rename(tmp_path / "trusted/alice.pem")
    (tmp_path / "data").write_bytes(b"some bytes")
    pss = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
    signature = _openssl("dgst", f"-{digest}", "-sign", private, *pss, tmp_path / "data")
    (key,) = keys.load_trusted_keys(tmp_path / "trusted")
    assert key.made(signature, b"some bytes") == (digest == "sha256")
    assert not key.made(signature, b"some bytes.")


def test_an_encrypted_private_key_says_so(tmp_path: Path) -> None:
    _openssl("genpkey", *ED25519, "-aes256", "-pass", "pass:secret", "-out", tmp_path / "key.pem")
    with pytest.raises(TeekitError, match="the private key is encrypted"):
        keys.load_signing_key(tmp_path / "key.pem")
    assert keys.is_encrypted(tmp_path / "key.pem")


@pytest.mark.parametrize("form", ["PKCS #8", "traditional"])
def test_an_encrypted_private_key_is_read_with_its_passphrase(tmp_path: Path, form: str) -> None:
    """By OpenSSL in either form of PEM; the public half is OpenSSL's too."""
    algorithm, path = P256 if form == "traditional" else ED25519, tmp_path / "key.pem"
    _openssl("genpkey", *algorithm, "-out", tmp_path / "plain.pem")
    more = ["-traditional"] if form == "traditional" else []
    _openssl("pkey", "-in", tmp_path / "plain.pem", *more, "-aes256", "-passout", "pass:secret", "-out", path)
    assert (b"Proc-Type: 4,ENCRYPTED" in path.read_bytes()) == (form == "traditional")
    assert keys.load_signing_key(path, b"secret").id == keys.load_signing_key(tmp_path / "plain.pem").id
    assert keys.load_signing_key(tmp_path / "plain.pem", b"secret").id, "a passphrase that is not needed does no harm"
    assert not keys.is_encrypted(tmp_path / "plain.pem")
    for wrong in (b"Secret", b"secret\n"):
        with pytest.raises(TeekitError, match="cannot be decrypted with this passphrase"):
            keys.load_signing_key(path, wrong)
    with pytest.raises(TeekitError, match="the private key is encrypted"):
        keys.load_signing_key(path, b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a private key in a PEM file"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is not a private key in a PEM file"),
        (sample.private_pem("alice")[:-40], "is not a private key in a PEM file"),
        (sample.public_pem("alice"), "is a public key"),
        (b"x" * 20_000, "has more than 16 KiB, too large for a key"),
    ],
)
def test_what_is_no_private_key_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(TeekitError, match=message):
        keys.load_signing_key(tmp_path / "key.pem")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected one PEM block 'PUBLIC KEY', found none"),
        (sample.private_pem("alice"), "is a private key"),
        (sample.public_pem("alice") + sample.public_pem("bob"), "found PUBLIC KEY and PUBLIC KEY"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "found CERTIFICATE"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "it cannot be decoded"),
        (sample.public_pem("alice")[:60], "it cannot be decoded"),
    ],
)
def test_what_is_no_public_key_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "alice.pem").write_bytes(content)
    with pytest.raises(TeekitError, match=message):
        keys.load_trusted_keys(tmp_path)


def test_nothing_is_trusted_by_default(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("not a key")
    with pytest.raises(TeekitError, match="has no public keys") as refused:
        keys.load_trusted_keys(tmp_path)
    assert refused.value.hint == "Put the keys you trust there; none is built in."
    with pytest.raises(TeekitError, match="cannot be read: No such file or directory"):
        keys.load_trusted_keys(tmp_path / "none")
    (tmp_path / "folder.pem").mkdir()
    with pytest.raises(TeekitError, match=r"folder\.pem: cannot be read: Is a directory"):
        keys.load_trusted_keys(tmp_path)


def test_the_file_name_is_the_owner_and_an_owner_may_have_several_keys(tmp_path: Path) -> None:
    sample.pin(tmp_path, "alice.2025", "alice.2026", "bob")
    assert [key.owner for key in keys.load_trusted_keys(tmp_path)] == ["alice", "alice", "bob"]


def test_a_key_has_one_owner(tmp_path: Path) -> None:
    sample.pin(tmp_path, "alice")
    (tmp_path / "bob.pem").write_bytes(sample.public_pem("alice"))
    with pytest.raises(TeekitError, match=r"bob\.pem: is the same key as another one of alice"):
        keys.load_trusted_keys(tmp_path)


@pytest.mark.parametrize("name", ["al ice.pem", ".pem.pem", "a\x1bb.pem", "ä.pem", "a" * 65 + ".pem"])
def test_an_owner_has_a_plain_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(sample.public_pem("alice"))
    with pytest.raises(TeekitError, match="must be 1 to 64 letters, digits, '-' or '_'"):
        keys.load_trusted_keys(tmp_path)


def test_a_key_is_good_until_the_end_of_its_last_day(tmp_path: Path) -> None:
    (tmp_path / "alice.pem").write_bytes(b"Expires: 2027-12-31\n\n" + sample.public_pem("alice"))
    (key,) = keys.load_trusted_keys(tmp_path)
    assert not key.expired(date(2027, 12, 31))
    assert key.expired(date(2028, 1, 1))
    assert not sample.trusted_key("alice").expired(date(9999, 12, 31))


@pytest.mark.parametrize(
    "heading", ["Expire: 2027-12-31", "expires: 2027-12-31", "Expires: 2027-02-30", "Expires: soon", "hello"]
)
def test_a_misspelt_expiry_is_not_for_ever(tmp_path: Path, heading: str) -> None:
    (tmp_path / "alice.pem").write_bytes(heading.encode() + b"\n" + sample.public_pem("alice"))
    with pytest.raises(
        TeekitError, match=f"expected nothing or 'Expires: YYYY-MM-DD' above the key, found '{heading}'"
    ):
        keys.load_trusted_keys(tmp_path)


def test_two_expiries_are_refused(tmp_path: Path) -> None:
    heading = b"Expires: 2027-12-31\nExpires: 2030-12-31\n"
    (tmp_path / "alice.pem").write_bytes(heading + sample.public_pem("alice"))
    with pytest.raises(TeekitError, match="expected nothing or 'Expires: YYYY-MM-DD'"):
        keys.load_trusted_keys(tmp_path)


def test_too_many_keys_are_refused(tmp_path: Path) -> None:
    for number in range(1001):
        (tmp_path / f"k{number}.pem").touch()
    with pytest.raises(TeekitError, match="has more than 1000 keys"):
        keys.load_trusted_keys(tmp_path)


def test_a_private_key_others_can_read_is_noticed(tmp_path: Path) -> None:
    path = sample.write_private(tmp_path, "alice")
    assert not keys.readable_by_others(path)
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        assert keys.readable_by_others(path)
