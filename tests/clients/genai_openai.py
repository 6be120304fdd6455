"""opentelemetry-instrumentation-genai-openai, its content on spans or on log events as its environment says."""

import sys

from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

from tests.clients.conversation import hold
from tests.clients.exporting import exporting

with exporting(sys.argv[1]) as (traces, logs):
    OpenAIInstrumentor().instrument(tracer_provider=traces, logger_provider=logs)
    hold(sys.argv[2])
