"""`sandbox demo` asks whichever model is served, where it is known what to ask."""

from types import SimpleNamespace

import pytest

from sandbox.demo import FLOWERS, ask
from sandbox.scenarios import SCENARIOS

HEADERS = {"X-Model-Name": "m", "X-Model-Version": "3", "X-Git-Commit": "c" * 40, "X-Data-Version": "d" * 12}


@pytest.mark.parametrize(
    ("served", "asked"),
    [
        ({"name": "iris"}, [{"instances": FLOWERS}]),
        ({"name": "sentiment"}, [SCENARIOS["sentiment"].example]),
        ({"name": "a model of somebody's own"}, []),
        (None, []),
    ],
)
def test_the_served_model_is_asked(served, asked, capsys):
    requests = []
    answer = SimpleNamespace(text='{"predictions": ["x"]}', headers=HEADERS)
    api = SimpleNamespace(model=lambda: served, predict=lambda request: requests.append(request) or answer)
    address = SimpleNamespace(prediction_api=SimpleNamespace(outside="http://127.0.0.1:1"))
    ask(SimpleNamespace(prediction_api=api, endpoints=address))
    assert requests == asked
    assert ("m version 3, commit cccccccccccc" in capsys.readouterr().out) == bool(asked)
