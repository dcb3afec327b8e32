"""The signature is Gitea's."""

from ci.signature import is_signed, sign


def test_signature_is_the_hex_hmac_sha256_of_the_body() -> None:
    # RFC 4231, test case 2
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert sign("Jefe", b"what do ya want for nothing?") == expected


def test_only_the_right_signature_is_taken() -> None:
    body = b'{"ref": "refs/heads/main"}'
    assert is_signed("secret", body, sign("secret", body))
    for wrong in (
        "",
        "é",
        "0" * 64,
        sign("other", body),
        sign("secret", body + b" "),
        sign("secret", body)[:-1],
    ):
        assert not is_signed("secret", body, wrong)
