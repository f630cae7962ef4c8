"""A CrewAI flow of two methods, without a model."""

from crewai.flow.flow import Flow, listen, start
from scenarios import play, write


class Writing(Flow):
    suppress_flow_events = True

    @start()
    def outline(self):
        return write(self.state["topic"])

    @listen(outline)
    def draft(self, text):
        return {"text": text}


play(Writing, lambda flow, inputs: flow.kickoff_async(inputs))
