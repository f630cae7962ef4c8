"""`html`: one self-contained page for people, which opens from a file, without a server, network or scripts.

What decides is written out; what passed is data in the page, and becomes rows when somebody opens it. Everything is
bounded, so that a run of thousands of gates opens as quickly as one of five.
"""

from gatekeeper import Report, Run, View


def render(run: Run, view: View) -> str:
    from gatekeeper_reports.html.page import page  # jinja2 is imported only where this report is made

    return page(run, view)


def gatekeeper_reports() -> list[Report]:
    modules = ("jinja2", "gatekeeper_reports.html.page")
    return [
        Report(name="html", summary="one page for people", extension="html", imports=modules, render=render)
    ]
