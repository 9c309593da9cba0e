"""The agent service: one process runs the agents of one framework, behind `AgentService.Describe/Execute`.

    Execute ─► servicer ─► Executor ─► Runtime (the framework) ─► model gateway ─► the model
                 ▲            │              └─► Toolbox ─► tools ─► memory
                 └─ events ── Activity ◄──────────┴───────────┘

What an agent does is seen at two gates only, the model gateway and the toolbox, so every framework tells the same
story and a new one is a single adapter file.
"""
