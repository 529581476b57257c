"""Personal data. In: columns of text. Out: a verdict on each column (what is personal, and why), and masked rows.

Each file in `recognizers/` is one kind of personal data, each in `actions/` one way to mask it. Open `detect.py` first,
then `mask.py`; `rulings.py` is what people decide, `vault.py` what tokens stand for.
"""
