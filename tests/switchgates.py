"""A project whose gates end in every way, for tests of `gatekeeper run`."""

GATES = """
    import os
    from gatekeeper import post, pre

    @pre(tags=["quick"])
    def good(ctx):
        ctx.check(True)

    @pre
    def switch(ctx):
        \"\"\"Passes when the file `on` exists.\"\"\"
        ctx.check(os.path.exists("on"), "the switch is off", hint="touch on")

    @pre(requirement="advisory", tags=["soft"])
    def soft(ctx):
        ctx.check(False, "not so good")

    @pre(tags=["open"])
    def open_question(ctx):
        ctx.unknown("cannot tell")
"""
