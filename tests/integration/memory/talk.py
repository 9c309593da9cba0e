"""A hundred other things that people say to an assistant, some of them about names."""

_NEAR = [
    ("What is the name of the capital of Australia?", "Canberra."),
    ("Can you name three rivers in Spain?", "Ebro, Tagus and Guadalquivir."),
    ("My dog is called Rex", "A classic."),
    ("Who is my favourite author? Guess.", "I do not know yet."),
    ("What is a good name for a bakery?", "Crumb and Co."),
    ("Is a hot dog a sandwich? Answer in one sentence.", "Technically yes."),
    ("Please keep it brief: what is TCP?", "A reliable stream protocol."),
    ("Who am I talking to?", "To an assistant."),
    ("My sister has a new job at the harbour", "Congratulations to her!"),
    ("What is my horoscope for today?", "I cannot read the stars."),
    ("Rename the file report.txt to summary.txt", "Use mv report.txt summary.txt."),
    ("Which names were popular in 1950?", "Mary, Linda, James and Robert."),
]
_SUBJECTS = [
    ("pasta", "It takes nine minutes."),
    ("the stock market", "It fell by one percent."),
    ("gardening in spring", "Start with the soil."),
    ("Python decorators", "They wrap functions."),
    ("the moon landing", "It happened in July 1969."),
    ("running shoes", "Replace them after 700 kilometres."),
    ("a leaking tap", "Change the washer."),
    ("French verbs", "Learn the irregular ones first."),
    ("solar panels", "They last about 25 years."),
    ("chess openings", "Develop your pieces."),
    ("electric cars", "The battery is what costs."),
    ("sourdough bread", "Feed the starter daily."),
    ("train tickets to Rome", "Book early."),
    ("quantum computers", "They use superposition."),
    ("my back pain", "See a doctor if it lasts."),
    ("the tax return", "The deadline is in May."),
    ("photography at night", "Use a tripod."),
    ("watercolour painting", "Begin with light tones."),
]
_QUESTIONS = [
    "What should I know about {}?",
    "Tell me something surprising about {}.",
    "How do I begin with {}?",
    "Why is {} so difficult?",
    "I spent the whole weekend on {}.",
]

CHATTER = _NEAR + [(question.format(subject), answer) for subject, answer in _SUBJECTS for question in _QUESTIONS]
"""(what the user said, what the assistant answered): 102 turns."""
