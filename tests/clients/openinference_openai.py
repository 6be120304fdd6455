"""openinference-instrumentation-openai."""

import sys

from openinference.instrumentation.openai import OpenAIInstrumentor

from tests.clients.conversation import hold
from tests.clients.exporting import exporting

with exporting(sys.argv[1]) as (traces, _):
    OpenAIInstrumentor().instrument(tracer_provider=traces)
    hold(sys.argv[2])
