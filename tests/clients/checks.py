"""A check is a function whose name is a sentence; all are run, each failure is told, and the count is the last line."""

import sys
import time
import traceback

_CHECKS = []


def check(function):
    """Marks a function as a check."""
    _CHECKS.append(function)
    return function


def wrong_today(reason):
    """Marks a check of a known bug: it says what is right, and must fail until somebody puts it right."""

    def mark(function):
        function.wrong_today = reason
        return check(function)

    return mark


def of_each(subjects, wrong_today=None):
    """Marks a function of one subject as a check of each. `wrong_today` is one reason for all, or one for each name."""

    def mark(function):
        for name, subject in subjects.items():

            def one(subject=subject):
                function(subject)

            one.__name__ = f"{function.__name__}_over_{name}"
            one.wrong_today = wrong_today.get(name) if isinstance(wrong_today, dict) else wrong_today
            check(one)
        return function

    return mark


def equal(got, expected):
    """Fails with both sides."""
    if got != expected or type(got) is not type(expected):
        raise AssertionError(f"expected {expected!r}, got {got!r}")


def contains(text, fragment):
    """Fails with both."""
    if fragment not in text:
        raise AssertionError(f"expected {fragment!r} in {text!r}")


def run():
    """Runs the checks, or those whose names hold an argument, and ends the process."""
    chosen = [f for f in _CHECKS if not sys.argv[1:] or any(word in f.__name__ for word in sys.argv[1:])]
    failed = 0
    script = sys.modules["__main__"].__file__
    for function in chosen:
        started = time.monotonic()
        sentence = function.__name__.replace("_", " ")
        known = getattr(function, "wrong_today", None)
        try:
            function()
            if known:
                failed += 1
                print(f"FAILED: {sentence}\n  this is right now: take the mark 'wrong today' off")
        except Exception as error:  # Whatever a driver raises is the news.
            if known:
                print(f"wrong today: {sentence}: {known}")
                continue
            failed += 1
            frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == script]
            line = f" (line {frames[-1].lineno})" if frames else ""
            print(f"FAILED: {sentence}{line}\n  {type(error).__name__}: {error}")
        took = time.monotonic() - started
        if took > 10:
            print(f"slow: {sentence} took {took:.1f} s")
    print(f"{len(chosen) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
