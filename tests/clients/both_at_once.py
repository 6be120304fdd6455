"""Two instrumentations in one process, so that each call is recorded twice, one span within the other."""

import sys

from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor as GenAi

from tests.clients.conversation import hold
from tests.clients.exporting import exporting

with exporting(sys.argv[1]) as (traces, logs):
    GenAi().instrument(tracer_provider=traces, logger_provider=logs)
    OpenInference().instrument(tracer_provider=traces)
    hold(sys.argv[2])
