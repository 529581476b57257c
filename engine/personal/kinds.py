"""The kinds of personal data as people call them: one of them, and many."""

ONE_AND_MANY = {
    "PERSON": ("a person's name", "names"),
    "EMAIL": ("an e-mail address", "e-mail addresses"),
    "PHONE": ("a phone number", "phone numbers"),
    "CPR": ("a CPR number", "CPR numbers"),
    "CVR": ("a CVR number", "CVR numbers"),
    "NATIONAL_ID": ("a national identity number", "national identity numbers"),
    "ADDRESS": ("an address", "addresses"),
    "DATE_OF_BIRTH": ("a date of birth", "dates of birth"),
    "IBAN": ("an IBAN", "IBANs"),
    "BANK_ACCOUNT": ("a bank account", "bank accounts"),
    "CREDIT_CARD": ("a card number", "card numbers"),
    "IP": ("an IP address", "IP addresses"),
    "MAC": ("a MAC address", "MAC addresses"),
    "PASSPORT": ("a passport number", "passport numbers"),
    "LICENSE_PLATE": ("a number plate", "number plates"),
    "DRIVER_LICENSE": ("a driving licence number", "driving licence numbers"),
    "USERNAME": ("a user name", "user names"),
    "PROFILE_URL": ("a link to a profile", "links to profiles"),
}


def one(type_: str) -> str:
    return ONE_AND_MANY.get(type_, (f"{type_} data", ""))[0]


def many(type_: str) -> str:
    return ONE_AND_MANY.get(type_, ("", f"{type_} data"))[1]
