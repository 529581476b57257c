"""The tables of the measure, as different from each other as those people have: header → what a cell of a row holds."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from bench.pii.made import FOREIGN_PHONES, Row, lists

Cell = Callable[[Row], str]


@dataclass(frozen=True)
class Layout:
    name: str
    part: str  # dev or held
    columns: dict[str, Cell]
    rows: int = 100
    delimiter: str = ","
    header: bool = True


LAYOUTS: list[Layout] = []


def layout(name: str, part: str, columns: dict[str, Cell], **how: object) -> None:
    LAYOUTS.append(Layout(name, part, columns, **how))  # type: ignore[arg-type]


def rows(table: Layout) -> list[list[str]]:
    """The marked cells of a table, always the same."""
    rng, words = random.Random(f"{table.part}.{table.name}"), lists(table.part)
    made = [Row(rng, words, n) for n in range(table.rows)]
    return [[cell(row) for cell in table.columns.values()] for row in made]


def some(share: float, cell: Cell, empty: str = "") -> Cell:
    return lambda r: cell(r) if r.chance(share) else empty


def one(*of: str) -> Cell:
    return lambda r: r.pick(*of)


def count(start: int, step: int = 1) -> Cell:
    return lambda r: str(start + r.n * step)


def told(*texts: str) -> Cell:
    """A sentence with `{first}`, `{full2}`, `{phone}`… filled in, as the row has them."""

    def cell(r: Row) -> str:
        return r.pick(*texts).format(
            first=f"<p {r.first}>", last=f"<p {r.last}>", full=f"<p {r.full}>", first2=f"<p {r.first2}>", full2=f"<p {r.full2}>",
            phone=r.phone(), mail=r.mail(), cpr=r.cpr(), address=r.address(), iban=r.iban(), card=r.card(), plate=r.plate(),
            ip=r.ip(), company=r.company(), date=r.date(), order=r.digits(8), amount=r.amount(), cvr=r.cvr(), last2=f"<p {r.last2}>",
            town=f"<x {r.town}>", born=r.born(), user=r.user(), n=r.rng.randint(2, 60),
        )  # fmt: skip

    return cell


def full(r: Row) -> str:
    return f"<p {r.full}>"


def full2(r: Row) -> str:
    return f"<p {r.full2}>"


def first(r: Row) -> str:
    return f"<p {r.first}>"


def last(r: Row) -> str:
    return f"<p {r.last}>"


def upper(r: Row) -> str:
    return f"<p {r.full.upper()}>"


def turned(r: Row) -> str:
    return f"<p {r.last}, {r.first}>"


def initialled(r: Row) -> str:
    return f"<p {r.first[0]}. {r.last}>"


def messy(r: Row) -> str:
    return r.pick(
        full(r),
        upper(r),
        turned(r),
        initialled(r),
        f"  {full(r)} ",
        f"<p {r.full.lower()}>",
        f"hr. {full(r)}",
        f"{full(r)} (formand)",
    )


def company(r: Row) -> str:
    return r.company()


def either(r: Row) -> str:
    return r.company() if r.chance(0.45) else full(r)


def town(r: Row) -> str:
    return f"<x {r.town}>"


def postcode(r: Row) -> str:
    return f"<x {r.rng.randint(1000, 9990)}>"


def mail(r: Row) -> str:
    return r.mail()


def phone(r: Row) -> str:
    return r.phone()


def foreign(r: Row) -> str:
    return r.phone(*FOREIGN_PHONES)


def cpr(r: Row) -> str:
    return r.cpr()


def address(r: Row) -> str:
    return r.address()


def born(r: Row) -> str:
    return r.born()


def date(r: Row) -> str:
    return r.date()


def iso(r: Row) -> str:
    return r.date("{y}-{m:02d}-{d:02d}")


def stamp(r: Row) -> str:
    return f"{iso(r)} {r.rng.randint(0, 23):02d}:{r.rng.randint(0, 59):02d}:{r.rng.randint(0, 59):02d}"


def amount(r: Row) -> str:
    return r.amount()


def code(picture: str) -> Cell:
    """# a digit, @ a capital, the rest as it stands."""

    def cell(r: Row) -> str:
        return "".join(
            str(r.rng.randint(0, 9)) if c == "#" else r.rng.choice("ABCDEFGHJKLMNPRSTUVXYZ") if c == "@" else c
            for c in picture
        )

    return cell


# ---------------------------------------------------------------- to develop on

layout("crm_leads", "dev", {
    "LeadID": code("L-#####"), "Company": company, "First Name": first, "Last Name": last, "E-Mail": mail, "Work Phone": foreign,
    "Title": one("CEO", "Purchaser", "Head of Ops", "CFO"), "Lead Owner": one("<p Tessa Brightwell>", "<p Marek Dudek>", "<p Signe Aakjær>"),
    "Source": one("Web", "Trade fair", "Referral"), "Website": one("https://www.omega-grafik.example"), "Score": lambda r: str(r.rng.randint(1, 99)),
    "Remarks": some(0.7, told("Met {full} at the fair, wants a quote for {n} units.", "{first} asked to be called on {phone} after lunch.",
        "No answer. Left voicemail.", "Prefers mail: {mail}", "Sent brochure {date}, follow up with {first2} in accounting.", "Budget approved for Q3.")),
})  # fmt: skip
layout("loenliste", "dev", {
    "Medarbejdernr": count(4010, 3), "Navn": turned, "CPR-nr.": lambda r: r.cpr("-", ""), "Adresse": address, "Postnr": postcode, "By": town,
    "Reg.nr.": lambda r: f"<x {r.digits(4)}>", "Kontonr.": lambda r: f"<b {r.digits(10)}>", "Stilling": one("Lagermand", "Bogholder", "Chauffør", "Montør"),
    "Ansat": date, "Bruttoløn": amount, "Afdeling": one("Lager", "Kontor", "Salg"), "Nærmeste leder": full2,
}, delimiter=";")  # fmt: skip
layout("patient_list", "dev", {
    "mrn": code("MRN#######"), "patient": full, "dob": lambda r: r.born("{y}-{m:02d}-{d:02d}"), "sex": one("F", "M"),
    "nhs_no": lambda r: f"<n {british(r)}>", "gp": lambda r: f"Dr <p {r.last2}>", "ward": one("B4", "ICU", "Maternity"),
    "icd": code("@##.#"), "admitted": iso, "bp": lambda r: f"{r.rng.randint(100, 160)}/{r.rng.randint(60, 95)}",
    "notes": told("Pt reports chest pain since Tuesday. Wife {first2} present.", "BP stable, discharge planned for {date}.", "Seen by Dr {last2}, review in 6/52.",
        "Daughter {full2} to be contacted on {phone}.", "Allergic to penicillin. Lives alone at {address}.", "Bloods taken, Hb 7.{n}, CRP {n}."),
})  # fmt: skip
layout("weblog", "dev", {
    "ts": stamp, "remote_addr": lambda r: r.ip(), "method": one("GET", "POST"), "path": lambda r: r.pick("/", "/kurv", "/api/v1/items", "/login") + f"?id={r.digits(5)}",
    "status": one("200", "301", "404", "500"), "bytes": lambda r: r.digits(5), "user": some(0.4, lambda r: r.user(), "-"), "agent": one("Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0"),
    "session": code("@#@#@#@#@#"), "build": one("4.12.0.7", "4.12.1.3"), "ms": lambda r: r.digits(3),
}, rows=160)  # fmt: skip
layout("skole", "dev", {
    "klasse": one("0.A", "3.B", "7.C", "9.A"), "elev": full, "cpr": lambda r: r.cpr("", "0", "0"), "forælder 1": full2, "tlf forælder 1": phone,
    "forælder 2": some(0.7, lambda r: f"<p {r.first} {r.last2}>"), "mail hjem": mail, "SFO": one("ja", "nej"),
    "bemærkning": some(0.6, told("{first} har nøddeallergi.", "Må gå hjem alene.", "Hentes af {full2} om fredagen, ring på {phone}.", "{first} og {first2} må ikke sidde sammen", "Læsebriller. Bruger bus {n}.", "Skilte forældre, bor hos mor på {address}.")),
}, delimiter=";")  # fmt: skip
layout("lejere", "dev", {
    "lejemål": lambda r: f"{r.rng.randint(1, 60)}-{r.rng.randint(1, 4)}", "lejer": messy, "medlejer": some(0.4, full2, "-"), "adresse": lambda r: f"<a {r.street}, {r.digits(4)} {r.town}>",
    "indflyttet": date, "depositum": amount, "huslejekonto": lambda r: f"<b {r.digits(4)} {r.digits(10)}>", "m2": lambda r: str(r.rng.randint(28, 140)),
    "kontakt": lambda r: r.pick(r.mail(), r.phone(), r.phone(), "ingen"), "vicevært": one("<p Bent>", "<p Lone>"),
}, delimiter=";")  # fmt: skip
layout("borger_sager", "dev", {
    "sagsnr": code("2024-#####"), "f1": full, "f2": lambda r: r.cpr("-", " "), "f3": phone, "kle": code("##.##.##"), "status": one("åben", "lukket", "afventer"),
    "sagsbehandler": lambda r: r.pick("<p Mette B.>", "<p Hanne K.>", "<p Ole T.>"), "oprettet": date,
    "resume": told("Borgeren {full} søger om boligstøtte. Bor {address}.", "Ansøgning modtaget {date}, mangler lønsedler.", "Talt med {full2} (datter), tlf. {phone}.",
        "Cpr. {cpr} er registreret i systemet ved en fejl.", "Sagen oversendt til jobcentret.", "Afslag sendt til {first} med e-Boks, klagefrist {n} dage."),
}, delimiter=";")  # fmt: skip
layout("bank_poster", "dev", {
    "Bogført": date, "Tekst": lambda r: r.pick(f"MobilePay <p {r.full}>", f"Husleje {r.company()}", "Dankort-nota Netto 5512", f"Overførsel fra <p {r.full.upper()}>", "Lønoverførsel", "Rente", f"BS {r.company()}", f"MobilePay: <p {r.first} {r.last[0]}>"),
    "Beløb": amount, "Saldo": amount, "Modpart konto": lambda r: f"<b {r.digits(4)}{r.digits(10)}>" if r.chance(0.6) else r.iban(), "Kort": lambda r: f"<x XXXX XXXX XXXX {r.digits(4)}>", "Arkivref": code("######-####"),
}, delimiter=";", rows=140)  # fmt: skip
layout("foelgesedler", "dev", {
    "Følgeseddel": code("F#######"), "Modtager": either, "Att.": some(0.5, full2), "Leveringsadresse": lambda r: f"<a {r.street}>", "Post/by": lambda r: f"<x {r.digits(4)} {r.town}>", "Varenr": code("##-####"),
    "EAN": lambda r: r.ean(), "Kolli": lambda r: str(r.rng.randint(1, 20)), "Vægt kg": amount, "Track & trace": code("00057#############"), "GLN": lambda r: r.ean(),
    "Chaufførnote": some(0.6, told("Stilles i carporten", "Ring til {first2} {phone} før aflæsning", "Port {n}, spørg efter {first2}", "Aflæsses hos naboen {full2}, {address}", "Lift påkrævet, {n} paller")),
}, delimiter=";")  # fmt: skip
layout("guests", "dev", {
    "Guest": full, "Plus one": some(0.5, full2), "Table": lambda r: str(r.rng.randint(1, 14)), "RSVP": one("yes", "no", "maybe"), "Diet": one("vegan", "none", "gluten free"),
    "Contact": lambda r: r.mail() if r.chance(0.5) else r.phone(), "Arrives": iso, "Comment": some(0.5, told("bringing baby {first2}", "can't sit next to {full2}!", "needs parking for {plate}", "arrives late from {town}", "speech after dinner, ask {first2}")),
})  # fmt: skip
layout("vaerksted", "dev", {
    "Reg": lambda r: r.plate(r.chance(0.5)), "Ejer": either, "Tlf": phone, "Mærke": one("VW Golf", "Skoda Octavia", "Toyota Yaris"), "Km": lambda r: r.digits(6), "Stelnr": code("WVWZZZ1KZ@W######"),
    "Mekaniker": one("<p Jørn>", "<p Svenne>", "<p Ali>"), "Syn": date, "Udført arbejde": told("Skiftet bremseklodser for, {n} min.", "Kunden {full} henter kl. {n}", "Bilen {plate} lånt ud til {first}", "Olie 5W30, filter 21-{n}", "Ring {phone} når den er klar"),
}, delimiter=";")  # fmt: skip
layout("donors", "dev", {
    "ref": count(90001), "donor": lambda r: r.pick(full(r), full(r), "Anonymous", f"{r.last} Foundation", f"Mr & Mrs <p {r.last}>"), "email": some(0.8, mail, "n/a"), "amount_eur": amount, "gift_aid": one("Y", "N"),
    "iban": some(0.7, lambda r: r.iban()), "card": some(0.3, lambda r: r.card()), "passport": some(0.2, lambda r: f"<s {r.digits(9)}>"), "postcode": lambda r: f"<x {code('@@# #@@')(r)}>", "addr1": lambda r: r.foreign_address(), "country": one("UK", "Germany", "Sweden"),
})  # fmt: skip
layout("varer", "dev", {
    "Varenummer": code("10####"), "Navn": one("Ida kommode eg", "Bordlampe Carl", "Sofa Oslo 3-pers", "Hansen skruetrækker 6 mm", "Magnus spisebord", "Vibe stol sort", "Kaffekrus Signe 2 stk"), "Leverandør": company, "Kostpris": amount, "Salgspris": amount,
    "EAN": lambda r: r.ean(), "Toldkode": code("9403 ## ##"), "Lager": lambda r: r.digits(3), "Serie": one("Ida", "Carl", "Oslo", "Vibe"), "Version": one("1.0.2.4", "2.1.0.0"), "Batch": code("LOT########"), "Oprettet": date, "Mål": lambda r: f"{r.digits(2)} x {r.digits(3)} cm",
}, delimiter=";", rows=120)  # fmt: skip
layout("sensors", "dev", {
    "ts": stamp, "device": code("dev-####"), "v1": lambda r: f"{r.rng.random() * 40:.2f}", "v2": lambda r: r.digits(8), "v3": lambda r: r.digits(10), "lat": lambda r: f"55.{r.digits(5)}", "lon": lambda r: f"10.{r.digits(5)}", "fw": one("2.4.1.11", "2.4.0.3"), "crc": code("@#@#@#@#"), "site": one("Ribe Nord", "Hansens Bro", "Lunds Mark"),
}, rows=160)  # fmt: skip
layout("finans", "dev", {
    "Bilag": count(20240001), "Konto": one("1010", "2210", "4300"), "Kontonavn": one("Varesalg", "Lønninger", "Husleje", "Frank & Co mellemregning"), "Dato": date, "Debet": amount, "Kredit": amount, "CVR": lambda r: r.cvr(), "Fakturanr": lambda r: r.digits(8), "Tekst": told("Faktura {order} {company}", "Kreditnota {order}", "Porto {date}", "Periodisering {n}", "Udlæg {company}"), "Moms": one("25 %", "0 %"), "Valuta": one("DKK", "EUR"),
}, delimiter=";", rows=140)  # fmt: skip
layout("svenska_kunder", "dev", {
    "kundnr": count(7000), "namn": full, "personnr": lambda r: f"<n {swedish(r)}>", "mobil": lambda r: r.phone("070-### ## ##", "+46 70 ### ## ##", "07########"), "epost": mail, "gata": lambda r: f"<a {r.pick('Storgatan', 'Björkvägen', 'Södra Allén', 'Lillgränd')} {r.rng.randint(1, 90)}>", "ort": one("<x Malmö>", "<x Lund>"), "orgnr": code("55####-####"), "skuld": amount,
}, delimiter=";")  # fmt: skip
layout("hovedloes", "dev", {
    "a": count(1), "b": full, "c": mail, "d": phone, "e": address, "f": amount, "g": date, "h": one("A", "B", "C"),
}, header=False)  # fmt: skip
layout("events_json", "dev", {
    "id": count(1), "type": one("signup", "login", "purchase"), "payload": lambda r: json.dumps({"user": f"<p {r.full}>", "mail": r.mail(), "ip": r.ip(), "plan": r.pick("pro", "free"), "amount": r.rng.randint(1, 900)}, ensure_ascii=False), "at": stamp, "version": one("1.2.0", "1.3.1"),
})  # fmt: skip
layout("koebekoe", "dev", {
    "nr": count(1), "x1": lambda r: f"{full(r)} / {r.phone()}", "x2": lambda r: f"{r.born('{d:02d}{m:02d}{yy:02d}')}", "hvem": first, "hvornår": stamp, "antal": lambda r: str(r.rng.randint(1, 8)), "beløb i kr": amount,
})  # fmt: skip
layout("tidsreg", "dev", {
    "init": lambda r: f"<x {r.first[:2].upper()}{r.last[0]}>", "medarbejder": initialled, "dato": date, "timer": lambda r: f"{r.rng.randint(1, 8)},{r.pick('0', '5')}", "projekt": one("Kystsikring 2", "Hansen-huset", "Intern", "IT drift"), "aktivitet": told("Møde med {company}", "Fejlsøgning hos {full}", "Kørsel {n} km", "Tlf. med {first2} fra {company}", "Kodegennemgang", "Oprydning"), "godkendt af": some(0.6, lambda r: r.pick("<p Karen Toft>", "<p kto>"), ""),
}, delimiter=";")  # fmt: skip

layout("ansoegninger", "dev", {
    "Ansøgning": count(771), "Ansøger navn": lambda r: f"<p {r.first} {r.last[0]}. {r.last.split()[-1]}>", "Fødselsdag": lambda r: r.born("{d}/{m}-{y}"), "Statsborgerskab": one("<x dansk>", "<x polsk>"), "Bopælsadresse": address,
    "Privat nr.": phone, "Stilling søgt": one("Pædagog", "Kok", "Lærer"), "CV": lambda r: f"cv_{r.digits(5)}.pdf", "Vurdering": told("God samtale, {first} virker engageret", "Mangler børneattest", "Ref. indhentet hos {full2}, {phone}", "Kan starte d. 1."), "Kanal": one("Jobindex", "LinkedIn", "Netværk"), "Bruger": lambda r: r.user(),
}, delimiter=";")  # fmt: skip
layout("hotel", "dev", {
    "conf": code("@@####"), "guest_last": last, "guest_first": lambda r: f"<p {r.first.upper()}>", "room": code("###"), "arr": iso, "dep": iso, "nationality": one("<x DK>", "<x SE>", "<x DE>"), "passport no": lambda r: f"<s {r.pick('A', 'P', 'N')}{r.digits(8)}>",
    "card": lambda r: r.card(0.9), "car": some(0.3, lambda r: r.plate(False)), "rate": amount, "company": some(0.3, company), "request": some(0.4, told("late arrival, call {phone}", "connecting room with {full2}", "feather free pillow", "anniversary of {first} and {first2}", "invoice to {company}")),
})  # fmt: skip
layout("blandet_kontakt", "dev", {
    "ID": count(5), "Kontakt": lambda r: r.pick(full(r), r.mail(), r.phone()), "Kunde/leverandør": lambda r: r.pick(r.company(), r.company(), full(r)), "Noter": some(0.5, told("se mail fra {first} {date}", "ny pris aftalt med {full}", "betaler {n} dage netto", "lukket i uge {n}")), "Ansvarlig": one("<x TKJ>", "<p Trine>", "<p Trine H.>"),
}, delimiter=";")  # fmt: skip
layout("tool_usage", "dev", {
    "when": stamp, "who": lambda r: r.user(), "workstation": code("PC-####"), "mac": lambda r: "<x " + ":".join(code("##")(r) for _ in range(6)) + ">", "app": one("Excel", "Word", "Navision"), "minutes": lambda r: r.digits(2), "licence_key": code("@@@@-####-@@@@"), "guid": code("########-####-4###-####-############"),
})  # fmt: skip
layout("lab", "dev", {
    "sample": code("S########"), "subject_initials": lambda r: f"<x {r.first[0]}{r.last[0]}>", "ssn": lambda r: f"<n {r.rng.randint(100, 772)}-{r.digits(2)}-{r.digits(4)}>", "collected_by": lambda r: f"<p {r.last2}>", "analyte": one("Hb", "CRP", "TSH"), "value": lambda r: f"{r.rng.random() * 9:.1f}", "unit": one("mmol/L", "mg/L"), "barcode": code("############"), "comment": some(0.3, told("haemolysed, repeat", "phoned to Dr {last2} {date}", "patient {full} notified"))
})  # fmt: skip
layout("auktion", "dev", {
    "lot": count(1), "titel": one("Stol, Hans J. Wegner", "Vase, Saxbo", "PH 5 lampe", "Maleri, ubekendt", "Sølvskål, Georg Jensen"), "sælger": full, "budgiver": lambda r: r.user(), "vinder": some(0.8, full2), "hammerslag": amount, "afhentning": lambda r: r.pick(f"{full2(r)} henter", "DAO", "GLS", f"sendes til {r.address()}"),
}, delimiter=";")  # fmt: skip
layout("places_only", "dev", {
    "butik": one("Rema Odensevej", "Netto Storegade", "Fakta Havnen"), "region": one("Syd", "Nord"), "bydel": one("Vesterbro", "Christianshavn", "Frederiksbjerg", "Islands Brygge"), "kommune": one("Holbæk", "Randers", "Vejle", "Skive", "Lolland", "Struer"), "omsætning": amount, "kunder": lambda r: r.digits(4), "bedste vare": one("Mælk", "Æbler Ingrid Marie", "Kong Hans kaffe"), "lukket": date, "kampagne": one("Black Friday", "Sankt Hans", "Mors dag", "Valentin"), "linje": one("4A", "5C"),
}, rows=80)  # fmt: skip
layout("legater", "dev", {
    "journalnr": code("L-###"), "legat": one("Hansens Mindelegat", "Fonden af 1892", "Anna og Peter Holms Legat"), "ansøger (navn og adresse)": lambda r: f"<p {r.full}>, <a {r.street}>, {r.digits(4)} <x {r.town}>", "konto": lambda r: f"<b {r.digits(4)}-{r.digits(10)}>", "beløb": amount, "formål": told("studieophold i {town}", "begravelse af {full2}", "indkøb af cello", "behandling for {first}"), "indstillet af": full2,
}, delimiter=";")  # fmt: skip
layout("kryptisk", "dev", {
    "k1": first, "k2": last, "k3": code("###"), "k4": lambda r: f"<x {r.pick('Aarhus', 'Skive', 'Lemvig', 'Tarm', 'Hobro', 'Hadsten', 'Ry', 'Odder', 'Them', 'Bramming', 'Tønder', 'Ribe', 'Nyborg', 'Assens', 'Korsør', 'Køge', 'Greve', 'Solrød', 'Allerød', 'Birkerød', 'Farum', 'Lyngby', 'Virum')}>", "k5": one("Vestas", "Danfoss", "Grundfos", "Arla", "Coloplast", "Novo Nordisk", "Lundbeck", "Demant", "Rockwool", "Velux", "Kamstrup", "Terma"), "k6": lambda r: r.phone("N#######"), "k7": lambda r: r.digits(8), "k8": date, "k9": lambda r: r.cpr("0", ""), "k10": one("Oliven", "Basilikum", "Rosmarin", "Timian", "Salvie", "Koriander", "Persille", "Mynte", "Dild", "Kørvel"), "k11": lambda r: f"<p {r.last} {r.first}>",
}, delimiter=";")  # fmt: skip

# ---------------------------------------------------------------- to be judged by only

layout("kundekartotek", "held", {
    "KUNDE_NR": count(55000, 7), "KUNDE_NAVN": either, "ADR_1": address, "ADR_2": some(0.15, lambda r: f"c/o <p {r.full2}>"), "POST_BY": lambda r: f"<x {r.digits(4)} {r.town}>", "TLF_NR": lambda r: r.phone("N#######"), "E_POST": some(0.8, mail, "NULL"), "CVR_NR": some(0.4, lambda r: r.cvr()), "SALDO": amount, "SIDSTE_KØB": date, "NOTAT": some(0.5, told("Vil have faktura på mail {mail}", "Rykker sendt {date}", "{full} er ny kontaktperson", "aftalt med {first} at betale d. 1.", "Leveres altid om torsdagen")),
}, delimiter=";")  # fmt: skip
layout("staff_directory", "held", {
    "Employee No": count(300), "Surname": last, "Forename": first, "Known as": some(0.2, first), "Work email": lambda r: r.mail(), "Ext.": lambda r: r.digits(4), "Mobile": foreign, "Line Manager": full2, "Dept": one("Estates", "Legal", "R&D"), "NI Number": lambda r: f"<n {code('@@')(r)[:0]}{r.pick('AB', 'JK', 'NR', 'PW')} {r.digits(2)} {r.digits(2)} {r.digits(2)} {r.pick('A', 'B', 'C')}>", "Start": iso, "FTE": one("1.0", "0.8", "0.5"), "Emergency contact": lambda r: f"{full2(r)} {r.phone(*FOREIGN_PHONES)}",
})  # fmt: skip
layout("journal", "held", {
    "kontakt_id": code("K########"), "personnummer": lambda r: r.cpr("-", "", "0"), "patientens navn": upper, "behandler": lambda r: f"<p {r.last2}>", "dato": date, "ydelse": code("####"), "aktionsdiagnose": code("D@###"), "journaltekst": told("Patienten {full} henvises til MR. Egen læge dr. {last2} orienteret.", "Pt. klager over hovedpine gennem {n} dage.", "Mor {first2} ringer på {phone}, {first} har feber.", "Fortsætter behandling, kontrol om {n} uger.", "CPR {cpr} kontrolleret ved indskrivning.", "Pårørende: {full2}, {address}."),
}, delimiter=";")  # fmt: skip
layout("app_audit", "held", {
    "event_time": stamp, "actor": lambda r: r.user(), "client_ip": lambda r: r.ip(), "action": one("UPDATE", "DELETE", "LOGIN"), "object": code("obj_######"), "host": one("srv-db01", "srv-web03"), "app_version": one("10.4.2.1", "10.5.0.12"), "message": told("user {user} logged in from {ip}", "record {order} updated", "password reset requested for {mail}", "timeout after {n} s", "failed login for {user}"),
}, rows=150)  # fmt: skip
layout("boernehave", "held", {
    "Stue": one("Rød", "Blå", "Grøn"), "Barn": first, "Efternavn": last, "Fødselsdato": born, "Mor": full2, "Mors mobil": phone, "Far": some(0.8, lambda r: f"<p {r.first2} {r.last}>"), "Fars mobil": some(0.8, phone), "Særlige forhold": some(0.5, told("{first} sover kun med bamse", "mælkeallergi", "{full2} må hente", "ny adresse {address}", "taler polsk derhjemme")),
}, delimiter=";")  # fmt: skip
layout("andelsbolig", "held", {
    "Bolig": code("##"), "Andelshaver": full, "Medandelshaver": some(0.4, full2), "Adresse": address, "E-mail": mail, "Telefon": phone, "Boligafgift": amount, "Andelsværdi": amount, "Overtaget": date, "Bestyrelse": one("", "", "ja"), "Pantsætning konto": lambda r: f"<b {r.digits(4)}-{r.digits(10)}>",
}, delimiter=";")  # fmt: skip
layout("wide_export", "held", {
    "c01": count(100), "c02": code("@@##"), "c03": full, "c04": lambda r: r.cpr(), "c05": mail, "c06": lambda r: r.digits(8), "c07": phone, "c08": iso, "c09": address, "c10": lambda r: r.ean(), "c11": amount, "c12": lambda r: r.iban(), "c13": one("0", "1"), "c14": company, "c15": code("########-####"), "c16": lambda r: r.ip(), "c17": one("N", "J"), "c18": first, "c19": last,
})  # fmt: skip
layout("kontoudtog", "held", {
    "dato": date, "beskrivelse": lambda r: r.pick(f"Indbetaling <p {r.full}>", "Gebyr", f"Betaling {r.company()}", f"Overført til <p {r.first}>", "Visa/Dankort REMA 1000", f"Gave fra <p {r.full2}>"), "beløb": amount, "modtager": either, "modtagerkonto": lambda r: f"<b {r.digits(4)} {r.digits(7)}>", "meddelelse": some(0.5, told("tak for lån {first2}", "faktura {order}", "husleje maj", "til {full}", "fødselsdag {first}")),
}, delimiter=";", rows=140)  # fmt: skip
layout("shipments", "held", {
    "shipment": code("SHP######"), "consignee": either, "attn": some(0.6, full2), "street": lambda r: r.foreign_address(), "zip": postcode, "phone": foreign, "parcels": lambda r: str(r.rng.randint(1, 9)), "tracking": code("1Z###@##############")
    , "hs_code": code("8471.##.##"), "value": amount, "instructions": some(0.6, told("leave with neighbour {full2}", "call {phone} on arrival", "gate code {n}", "signature by {first} required", "fragile, this side up")),
})  # fmt: skip
layout("kursister", "held", {
    "hold": one("Yoga 2", "Spansk A1", "Keramik"), "navn": messy, "kontaktinfo": lambda r: r.pick(r.mail(), r.phone()), "fødselsår": lambda r: f"<x {r.year}>", "betalt": one("ja", "nej"), "pris": amount, "bemærkninger": some(0.5, told("kommer sammen med {full2}", "afmeldt {date}", "faktura til {company}, att. {full}", "spørg {first2} om nøgle", "vil gerne på venteliste")),
}, delimiter=";")  # fmt: skip
layout("parkering", "held", {
    "billet": code("P#######"), "regnr": lambda r: r.plate(r.chance(0.3)), "ejer": full, "zone": one("A", "B", "C"), "start": stamp, "afgift": amount, "vagt": one("V12", "V07"), "klage": some(0.5, told("Jeg, {full}, holdt der kun i {n} minutter.", "Bilen {plate} er solgt til {full2}", "Ring til mig på {phone}", "Skiltet kunne ikke ses.", "Billetten lå på instrumentbrættet")),
}, delimiter=";")  # fmt: skip
layout("members", "held", {
    "member_id": count(1200), "fullname": full, "birthday": lambda r: r.born("{d}.{m}.{y}"), "mail": mail, "linkedin": some(0.3, lambda r: f"<w https://www.linkedin.com/in/{plain_(r)}>"), "twitter": some(0.2, lambda r: f"<u @{plain_(r)}>"), "licence": some(0.4, lambda r: f"<r {r.digits(8)}>"), "joined": iso, "tier": one("gold", "silver"), "passport_no": some(0.3, lambda r: f"<s {r.digits(9)}>"), "credit_card": some(0.5, lambda r: r.card()),
})  # fmt: skip
layout("katalog", "held", {
    "sku": code("KT-#####"), "title": one("Emma table lamp", "Oslo bench", "Freja sengetøj 140x200", "Jensen topmadras", "Viggo skammel", "Paris poster 50x70", "Smith & Wesson nøglering"), "supplier": company, "ean13": lambda r: r.ean(), "price": amount, "weight": lambda r: f"{r.digits(2)} g", "taric": code("94032080##"), "colour": one("Rose", "Sand", "Navy"), "created": iso, "rev": one("3.0.1.9", "3.1.0.2"), "lot": code("########")
}, rows=120)  # fmt: skip
layout("turbines", "held", {
    "t": stamp, "unit": code("WTG-##"), "rpm": lambda r: r.digits(4), "kwh": lambda r: r.digits(8), "counter": lambda r: r.digits(10), "wind": lambda r: f"{r.rng.random() * 25:.1f}", "park": one("Nysted", "Anholt", "Horns Rev"), "alarm": one("", "", "E1402"), "serial": code("##########"), "plc": one("1.7.3.20", "1.8.0.1"),
}, rows=160)  # fmt: skip
layout("budget", "held", {
    "kontonr": one("3010", "5220", "7115"), "tekst": one("Rengøring", "Kontingenter", "Repræsentation", "Kørsel"), "leverandør": company, "cvr": lambda r: r.cvr(), "faktura": lambda r: r.digits(7), "forfald": date, "beløb": amount, "bilag": count(881000), "p-nr": lambda r: r.digits(10), "bemærkning": told("se ordre {order}", "rykket {date}", "modregnes i kreditnota {order}", "aftale med {company}"),
}, delimiter=";", rows=140)  # fmt: skip
layout("norske_medlemmer", "held", {
    "medlemsnr": count(31), "navn": full, "fødselsnummer": lambda r: f"<n {norwegian(r)}>", "telefon": lambda r: r.phone("4## ## ###", "9# ## ## ##", "+47 9## ## ###"), "epost": mail, "adresse": lambda r: f"<a {r.pick('Storgata', 'Kirkeveien', 'Fjellvegen', 'Øvre Torggate')} {r.rng.randint(1, 120)}>", "poststed": one("<x Bergen>", "<x Molde>"), "kontingent": amount,
}, delimiter=";")  # fmt: skip
layout("uden_overskrift", "held", {
    "a": upper, "b": lambda r: r.cpr(), "c": lambda r: f"<a {r.street}, {r.digits(4)} {r.town}>", "d": phone, "e": amount, "f": code("@##"), "g": iso,
}, header=False, delimiter=";")  # fmt: skip
layout("webhook_log", "held", {
    "seq": count(1), "body": lambda r: json.dumps({"customer": {"name": f"<p {r.full}>", "phone": r.phone(), "address": r.address()}, "order": r.digits(8), "total": r.amount()}, ensure_ascii=False), "received": stamp, "ok": one("true", "false"),
})  # fmt: skip
layout("frivillige", "held", {
    "hvem": full, "kan kontaktes": lambda r: f"{r.phone()}, {r.mail()}", "bor": lambda r: f"<a {r.street}>", "vagt": one("lør 8-12", "søn 12-16"), "T-shirt": one("S", "M", "XL"), "ansvarlig": one("<p Dorte Lyngsø>", "<p Mogens>", "<p Aisha Rahim>"), "info": some(0.5, told("{first} har nøgle til kiosken", "kører sammen med {first2}", "født {born}", "kan ikke løfte tungt", "har børneattest")),
}, delimiter=";")  # fmt: skip
layout("tickets", "held", {
    "id": count(88100), "opened": stamp, "requester": lambda r: r.pick(r.mail(), full(r)), "category": one("Network", "Printer", "Access"), "assigned_to": one("<p Priyanka>", "<p Lars M.>", "<p Joanna Wilk>"), "priority": one("P1", "P2", "P3"), "description": told("{full} cannot log in to VPN since this morning.", "Printer on floor 3 is out of toner", "Please reset password for {user}", "Hi, my new number is {phone}, regards {first}", "Laptop SN {order} does not boot", "Request from {company}: add {full2} to the list"), "resolution": some(0.6, told("Rebooted switch", "Called {first} back, works now", "Account unlocked", "Replaced by unit {order}")),
})  # fmt: skip


def plain_(r: Row) -> str:
    from bench.pii.made import plain

    return f"{plain(r.first)}{plain(r.last.split()[-1])}{r.rng.randint(1, 99)}"


def norwegian(r: Row) -> str:
    """A Norwegian number with both check digits right."""
    while True:
        nine = f"{r.day:02d}{r.month:02d}{r.year % 100:02d}{r.rng.randint(0, 999):03d}"
        one_ = -sum(int(d) * w for d, w in zip(nine, (3, 7, 6, 1, 8, 9, 4, 5, 2), strict=True)) % 11
        two = -sum(int(d) * w for d, w in zip(f"{nine}{one_}", (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=False)) % 11
        if one_ < 10 and two < 10:
            return f"{nine}{one_}{two}"


def swedish(r: Row) -> str:
    """A Swedish number with its check digit."""
    nine = f"{r.year % 100:02d}{r.month:02d}{r.day:02d}{r.digits(3)}"
    total = sum(sum(divmod(int(d) * (2 if k % 2 == 0 else 1), 10)) for k, d in enumerate(nine))
    return f"{r.year // 100}{nine[:6]}-{nine[6:]}{-total % 10}"


def british(r: Row) -> str:
    """A number of the NHS with its check digit."""
    while True:
        nine = r.digits(9)
        check = 11 - sum(int(d) * w for d, w in zip(nine, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            return f"{nine[:3]} {nine[3:6]} {nine[6:]}{check % 11}"
