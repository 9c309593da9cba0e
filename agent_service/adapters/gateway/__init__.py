"""The model gateway: the OpenAI-compatible endpoint that frameworks believe to be their model.

framework ──HTTP──► server (loopback) ──► call ──HTTP──► upstream (MESH_MODEL_URL)
                                          │ ▲
                                 activity ◄─┘ sse, completion (what the model says)
"""
