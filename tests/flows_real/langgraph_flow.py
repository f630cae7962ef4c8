"""A LangGraph graph of two nodes, without a model."""

from typing import TypedDict

from langgraph.graph import END, START, StateGraph
from scenarios import play, write


class State(TypedDict, total=False):
    topic: str
    text: str


def make():
    graph = StateGraph(State)
    graph.add_node("outline", lambda state: {"text": write(state["topic"])})
    graph.add_node("draft", lambda state: {"text": state["text"]})
    graph.add_edge(START, "outline")
    graph.add_edge("outline", "draft")
    graph.add_edge("draft", END)
    return graph.compile()


play(make, lambda graph, inputs: graph.ainvoke(inputs))
