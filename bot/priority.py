"""How a request tells the model server that nobody waits for it, so that it gives way to what a person waits for. vLLM
takes no notice of it."""

HEADER = "X-Frontdesk-Priority"
BACKGROUND = "background"
PATIENCE = 5  # times as long may it take: others go first, and a gate that loses an answer has to begin anew
