"""From a run to alerts and events: conditions, by default and by rules, and the words for them."""
