"""What the staff can read of the model server's figures."""

import pytest

from bot.throughput import parse

FIGURES = """
# TYPE frontdesk_queue_length gauge
frontdesk_queue_length 3.0
# TYPE frontdesk_batch_size gauge
frontdesk_batch_size 8.0
# TYPE frontdesk_steps_total counter
frontdesk_steps_total 100.0
# TYPE frontdesk_step_rows_total counter
frontdesk_step_rows_total 450.0
# TYPE frontdesk_prompt_tokens_total counter
frontdesk_prompt_tokens_total 1000.0
# TYPE frontdesk_prefix_tokens_total counter
frontdesk_prefix_tokens_total 730.0
# TYPE frontdesk_generated_tokens_total counter
frontdesk_generated_tokens_total{adapter="style-v1"} 64.0
# TYPE frontdesk_first_token_seconds histogram
frontdesk_first_token_seconds_bucket{le="0.1"} 10.0
frontdesk_first_token_seconds_bucket{le="0.2"} 30.0
frontdesk_first_token_seconds_bucket{le="+Inf"} 40.0
frontdesk_first_token_seconds_count 40.0
frontdesk_first_token_seconds_sum 9.0
"""


def test_figures_are_read_as_medians_and_shares() -> None:
    found = parse(FIGURES)

    assert (found.waiting, found.answering, found.mean_batch, found.known_share) == (3, 8, 4.5, 0.73)
    assert found.first_token_ms == pytest.approx(150)
    assert found.between_tokens_ms is None
    assert found.tokens == {"style-v1": 64}


def test_a_server_that_has_done_nothing_has_no_medians() -> None:
    found = parse("# TYPE frontdesk_batch_size gauge\nfrontdesk_batch_size 0.0\n")

    assert (found.mean_batch, found.known_share, found.first_token_ms, found.tokens) == (None, None, None, {})
