from hypothesis import given
from hypothesis import strategies as st

from hotshoe.server.limits import Places, Verdict


def test_without_limits_all_come_in() -> None:
    places: Places[int] = Places()
    assert {places.enter(number, "a") for number in range(1000)} == {(Verdict.ADMITTED, None)}
    assert len(places) == 1000


def test_who_has_waited_longest_gives_way() -> None:
    places: Places[str] = Places(3)
    for name in "abc":
        places.enter(name, None)
    places.work("a")
    assert places.enter("d", None) == (Verdict.ADMITTED, "b")
    places.wait("c")
    places.wait("a")
    assert [places.enter(name, None)[1] for name in "efg"] == ["d", "c", "a"]
    assert len(places) == 3


def test_who_works_stays() -> None:
    places: Places[str] = Places(2)
    for name in "ab":
        places.enter(name, None)
        places.work(name)
    assert places.enter("c", None) == (Verdict.FULL, None)
    places.leave("a")
    places.leave("a")
    assert places.enter("c", None) == (Verdict.ADMITTED, None)


def test_an_address_has_its_own_limit() -> None:
    places: Places[str] = Places(0, 2)
    for name in ("a1", "a2"):
        places.enter(name, "a")
    places.enter("b1", "b")
    assert places.enter("a3", "a") == (Verdict.ADMITTED, "a1")
    places.work("a2")
    places.work("a3")
    assert places.enter("a4", "a") == (Verdict.ADDRESS_FULL, None)
    assert places.enter("b2", "b") == (Verdict.ADMITTED, None)
    places.leave("a2")
    assert places.enter("a4", "a") == (Verdict.ADMITTED, None)


def test_addresses_that_are_not_those_of_clients_have_none() -> None:
    places: Places[int] = Places(0, 1, lambda address: address != "proxy")
    for number in range(10):
        places.enter(number, "proxy" if number % 2 else None)
        places.work(number)
    assert len(places) == 10


@given(st.integers(0, 4), st.integers(0, 3),
       st.lists(st.tuples(st.sampled_from(["enter", "work", "wait", "leave"]), st.integers(0, 7))))
def test_no_limit_is_ever_passed(most: int, per_address: int, steps: list[tuple[str, int]]) -> None:
    places: Places[int] = Places(most, per_address)
    inside: dict[int, bool] = {}
    for step, number in steps:
        if step == "enter" and number not in inside:
            verdict, victim = places.enter(number, str(number % 2))
            assert victim is None or not inside.pop(victim), "one who works has been cut"
            if verdict is Verdict.ADMITTED:
                inside[number] = False
        elif step == "leave":
            places.leave(number)
            inside.pop(number, None)
        elif step in ("work", "wait") and number in inside:
            getattr(places, step)(number)
            inside[number] = step == "work"
        assert len(places) == len(inside)
        assert not most or len(inside) <= most
        assert not per_address or all(sum(n % 2 == rest for n in inside) <= per_address for rest in (0, 1))
