from sightline.service import keys


def test_a_key_is_found_by_its_prefix_and_checked_by_its_hash() -> None:
    key = keys.new_key()
    assert keys.prefix_of(key.text) == key.prefix
    assert keys.matches(key.text, key.hash)
    assert not keys.matches(key.text + "x", key.hash)
    assert key.text not in repr(key.hash + key.prefix)


def test_what_is_no_key_has_no_prefix() -> None:
    for text in ("", "sl", "sl_", "sl_abc_secret", "xx_0123456789ab_secret", "sl_0123456789ab_", "admin"):
        assert keys.prefix_of(text) is None


def test_keys_and_tokens_differ() -> None:
    assert len({keys.new_key().text for _ in range(100)} | {keys.new_token() for _ in range(100)}) == 200
