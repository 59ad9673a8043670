"""One server and one site's server for all tests, and each front in turn."""

from collections.abc import Iterator

import pytest
from cdn import Cdn
from programs import Caddy, Front, Nginx, Sluice


@pytest.fixture(scope="session")
def cdn() -> Iterator[Cdn]:
    made = Cdn()
    yield made
    made.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Sluice]:
    made = Sluice()
    yield made
    made.close()


@pytest.fixture(scope="session", params=[Nginx, Caddy])
def front(request: pytest.FixtureRequest, server: Sluice) -> Iterator[Front]:
    made: Front = request.param(server.port)
    yield made
    made.close()
