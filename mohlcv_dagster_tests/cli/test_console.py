from mohlcv_dagster.cli.console import open_console, show_reasons


def test_a_reason_is_shown_in_its_own_words_brackets_and_all(capsys):
    show_reasons(open_console(), "SPY 2024-01", ["the vendor answered 500: '[/no] [red]markup[/]'", "[1, 2]"])

    assert capsys.readouterr().out == (
        "✗ SPY 2024-01:  the vendor answered 500: '[/no] [red]markup[/]'\n✗ SPY 2024-01:  [1, 2]\n"
    )
