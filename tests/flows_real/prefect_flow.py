"""A Prefect flow with a task, on the server that Prefect starts for as long as this process lives."""

from prefect import flow, task
from scenarios import play, write

outline = task(write)


@flow
def writing(topic: str) -> dict:
    return {"text": outline(topic)}


play(lambda: writing)
