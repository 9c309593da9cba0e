"""How well memory finds what was said: LoCoMo's conversations stored and its questions asked through the API.

The data are not part of the project: `locomo10.json` of the benchmark's own repository (Maharana et al. 2024, licence
CC BY-NC 4.0), which is for measuring and never shipped.
"""
