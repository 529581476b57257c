"""No result depends on the broker: with Redis away, whoever has a worker works by itself."""

from pathlib import Path

from core.pipeline import Pipeline
from core.settings import Settings
from engine import pipeline
from engine.home import open_home
from engine.store import runs
from engine.worker import Worker, celery_app
from tests.program import Program, wait_for
from tests.test_servers import free_port


def test_a_run_succeeds_though_redis_is_away(tmp_path: Path) -> None:
    program = Program(tmp_path, ATLAS_BROKER_URL=f"redis://127.0.0.1:{free_port()}/0")
    program.pipeline("orders", "id,country\n1,DK\n2,SE\n", model="select country, count(*) as n from orders group by 1")
    told = program.say("run orders")
    assert (told["exit"], told["facts"]["state"], told["facts"]["rows_out"]) == (0, "succeeded", 2)
    assert program.say("show orders_model")["exit"] == 0


def test_a_run_succeeds_though_no_wake_up_call_ever_arrives(settings: Settings) -> None:
    (settings.pipelines / "orders.csv").write_text("id,country\n1,DK\n2,SE\n", encoding="utf-8")
    home = open_home(settings)
    app = celery_app(home)
    app.conf.task_routes = {"atlas.work": {"queue": "nobody-listens"}}
    worker = Worker(home, app)
    wanted = Pipeline(name="orders", owner="web", source={"connector": "csv", "path": "orders.csv"})
    with home.database.write() as db:
        number = pipeline.start(db, wanted, "anna")[0].id
    worker.wake()

    def state() -> str:
        with home.database.read() as db:
            return runs.get(db, number).state

    assert wait_for(lambda: state() == "succeeded")
    assert worker.stop(10)
    home.database.close()
