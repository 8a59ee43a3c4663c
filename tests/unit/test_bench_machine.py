from realtime_avatar.bench.machine import environment_size, requirements


def test_what_the_product_needs_is_told_from_what_its_tests_do():
    needed = requirements("realtime-avatar")
    assert {"realtime-avatar", "numpy", "misaki", "jieba"} <= needed  # the last by misaki[zh]
    assert not {"pytest", "ruff", "ray", "torch"} & needed


def test_a_distribution_that_is_not_installed_needs_nothing():
    assert requirements("No_Such.Thing") == {"no-such-thing"}


def test_the_environment_is_more_than_nothing():
    assert environment_size() > 100_000_000
