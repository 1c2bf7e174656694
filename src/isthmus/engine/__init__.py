"""Engine: all the I/O; one small file per loop.

    receiver ─► translator ─► subscriber (one each) ─► courier (one per endpoint)
        triage                    answers                  breaker, settling, backoff
    lifeline · pruner · registrar            what keeps the house in order
    replay                                   what people do: redeliver, reprocess
    clock, wake, supervisor, telemetry       what every loop stands on

``engine.Engine`` puts them together.
"""
