"""No result depends on the broker: with Redis away, whoever has a worker works by itself."""

import socket
import threading
from pathlib import Path

from celery.signals import before_task_publish
from pydantic import SecretStr

from core.pipeline import Pipeline
from core.settings import Settings
from engine.home import open_home
from engine.runs import course
from engine.runs.worker import Wakeups, Worker, celery_app
from engine.store import runs
from tests.program import Program, wait_for
from tests.test_servers import free_port

ORDERS = Pipeline(name="orders", owner="web", source={"connector": "csv", "path": "orders.csv"})


def test_a_run_succeeds_though_redis_is_away(tmp_path: Path) -> None:
    program = Program(tmp_path, ATLAS_BROKER_URL=f"redis://127.0.0.1:{free_port()}/0")
    program.pipeline("orders", "id,country\n1,DK\n2,SE\n", model="select country, count(*) as n from orders group by 1")
    told = program.say("run orders")
    assert (told["exit"], told["facts"]["state"], told["facts"]["rows_out"]) == (0, "succeeded", 2)
    assert program.say("show orders_model")["exit"] == 0


def test_a_broker_that_refuses_is_asked_once_for_a_call(settings: Settings) -> None:
    asked = []

    def refuse() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # closed: the test is over
                return
            asked.append(1)
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=refuse, daemon=True).start()
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        home = open_home(settings.model_copy(update={"broker_url": SecretStr(url)}))
        with home.database.write() as db:
            course.start(db, ORDERS, "anna")
        Wakeups(home, celery_app(home)).try_to_send()
        home.database.close()
    assert len(asked) == 1


def test_a_run_succeeds_though_no_wake_up_call_ever_arrives(settings: Settings) -> None:
    calls = []
    before_task_publish.connect(called := lambda body, **_: calls.append(body[0][0]))
    (settings.pipelines / "orders.csv").write_text("id,country\n1,DK\n2,SE\n", encoding="utf-8")
    home = open_home(settings)
    app = celery_app(home)
    app.conf.task_routes = {"atlas.work": {"queue": "nobody-listens"}}
    worker = Worker(home, app)
    with home.database.write() as db:
        number = course.start(db, ORDERS, "anna")[0].id
    worker.wake()

    def state() -> str:
        with home.database.read() as db:
            return runs.get(db, number).state

    assert wait_for(lambda: state() == "succeeded")
    assert worker.stop(10)
    before_task_publish.disconnect(called)
    assert len(calls) <= 2  # for the first part, and one beside another: who ends a part goes on with what follows
    home.database.close()
