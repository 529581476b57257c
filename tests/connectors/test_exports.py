"""Files as the programs write them that people have: each is read as whoever exported it would read it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from connectors import csv
from core.models import LINE, Rejects, Remark
from core.roots import Roots


@dataclass(frozen=True)
class Export:
    """A file, and what is in it. `rows`: how many; `first` its first row; `said`: words of what was assumed."""

    text: str
    names: list[str]
    rows: int
    first: list[str | None]
    encoding: str = "utf-8"
    rejected: int = 0
    said: tuple[str, ...] = ()


def read(path: Path, **given: Any) -> tuple[list[str], list[list[str | None]], Rejects, list[str]]:
    """Names, rows, rejected rows and what was assumed."""
    source = csv.Source.model_validate({"connector": "csv", "path": str(path), **given}, context=Roots((path.parent,)))
    names: list[str] = []
    rows: list[list[str | None]] = []
    rejects, said = Rejects([], [], []), []
    for part in csv.parts(source, path.parent):
        for batch in csv.read(source, part):
            if isinstance(batch, Remark):
                said.append(batch.text)
            elif isinstance(batch, Rejects):
                rejects = Rejects(rejects.lines + batch.lines, rejects.reasons + batch.reasons, rejects.raw + batch.raw)
            else:
                assert isinstance(batch, pa.RecordBatch)
                names = [name for name in batch.schema.names if name != LINE]
                rows += [[row[name] for name in names] for row in batch.to_pylist()]
    return names, rows, rejects, said


EXPORTS = {
    "jira": Export(
        "Summary,Issue key,Issue id,Assignee,Created,Comment,Comment,Comment,Labels,Labels\n"
        'Cannot log in,OPS-12,10412,ida,02/Mar/26 9:14 AM,"02/Mar/26;ida;Looked at it, again",,,login,sso\n'
        "Printer is off,OPS-13,10413,,03/Mar/26 8:02 AM,,,,,\n",
        [
            "Summary",
            "Issue key",
            "Issue id",
            "Assignee",
            "Created",
            "Comment",
            "Comment_2",
            "Comment_3",
            "Labels",
            "Labels_2",
        ],
        2,
        [
            "Cannot log in",
            "OPS-12",
            "10412",
            "ida",
            "02/Mar/26 9:14 AM",
            "02/Mar/26;ida;Looked at it, again",
            None,
            None,
            "login",
            "sso",
        ],
        said=("3 columns have a name", "`Comment_2`, `Comment_3`, `Labels_2`"),
    ),
    "strava": Export(
        "Activity ID,Activity Date,Activity Name,Activity Type,Elapsed Time,Distance,Max Heart Rate,Elapsed Time,"
        "Distance\n"
        '9001,"Mar 1, 2026, 6:12:01 AM",Morning Run,Run,1802,5.01,171,1802.0,5012.3\n'
        '9002,"Mar 3, 2026, 6:02:11 AM",Morning Run,Run,1755,5.00,,1755.0,5003.9\n',
        [
            "Activity ID",
            "Activity Date",
            "Activity Name",
            "Activity Type",
            "Elapsed Time",
            "Distance",
            "Max Heart Rate",
            "Elapsed Time_2",
            "Distance_2",
        ],
        2,
        ["9001", "Mar 1, 2026, 6:12:01 AM", "Morning Run", "Run", "1802", "5.01", "171", "1802.0", "5012.3"],
        said=("2 columns have a name",),
    ),
    "danske bank": Export(
        '"Dato";"Tekst";"Beløb";"Saldo";"Status";"Afstemt"\n'
        '"02.03.2026";"Dankort Netto, Ærøgade";"-127,50";"12.402,11";"Udført";"Nej"\n'
        '"03.03.2026";"Løn";"24.500,00";"36.902,11";"Udført";"Nej"\n',
        ["Dato", "Tekst", "Beløb", "Saldo", "Status", "Afstemt"],
        2,
        ["02.03.2026", "Dankort Netto, Ærøgade", "-127,50", "12.402,11", "Udført", "Nej"],
        encoding="windows-1252",
    ),
    "nordea": Export(
        "Bogføringsdato;Beløb;Afsender;Modtager;Navn;Beskrivelse;Saldo;Valuta;Afstemt;\n"
        "2026/03/02;-45,00;1234567890;;;Kaffe;1000,00;DKK;;\n"
        "2026/03/03;-12,50;1234567890;;;Bus;987,50;DKK;;\n",
        ["Bogføringsdato", "Beløb", "Afsender", "Modtager", "Navn", "Beskrivelse", "Saldo", "Valuta", "Afstemt"],
        2,
        ["2026/03/02", "-45,00", "1234567890", None, None, "Kaffe", "1000,00", "DKK", None],
        encoding="utf-8-sig",
    ),
    "mobilepay": Export(
        "sep=;\nDato;Tid;Type;Beløb;Gebyr;Navn;Telefonnummer;Besked\n"
        "01-03-2026;14:02;Betaling;120,00;1,20;Ida Holm;xxxx5678;Kage\n"
        "01-03-2026;15:41;Betaling;80,00;0,80;Bo Lund;xxxx1122;\n",
        ["Dato", "Tid", "Type", "Beløb", "Gebyr", "Navn", "Telefonnummer", "Besked"],
        2,
        ["01-03-2026", "14:02", "Betaling", "120,00", "1,20", "Ida Holm", "xxxx5678", "Kage"],
    ),
    "e-conomic": Export(
        "Kontonr.;Navn;Dato;Bilagsnr.;Tekst;Beløb;Saldo\n"
        "1010;Salg af varer/ydelser m/moms;01-01-2026;1;Faktura 10001;-1.250,00;-1.250,00\n"
        "1010;Salg af varer/ydelser m/moms;03-01-2026;2;Faktura 10002;-400,00;-1.650,00\n"
        "I alt;;;;;-1.650,00;\n",
        ["Kontonr.", "Navn", "Dato", "Bilagsnr.", "Tekst", "Beløb", "Saldo"],
        2,
        ["1010", "Salg af varer/ydelser m/moms", "01-01-2026", "1", "Faktura 10001", "-1.250,00", "-1.250,00"],
        encoding="windows-1252",
        rejected=1,
    ),
    "dinero": Export(
        "Fakturanummer;Fakturadato;Forfaldsdato;Kundenavn;Beløb ekskl. moms;Moms;Total\n"
        "101;2026-01-05;2026-01-19;Æblegården ApS;1000,00;250,00;1250,00\n"
        "102;2026-01-07;2026-01-21;Øst & Søn;80,00;20,00;100,00\n",
        ["Fakturanummer", "Fakturadato", "Forfaldsdato", "Kundenavn", "Beløb ekskl. moms", "Moms", "Total"],
        2,
        ["101", "2026-01-05", "2026-01-19", "Æblegården ApS", "1000,00", "250,00", "1250,00"],
        encoding="utf-8-sig",
    ),
    "dmi": Export(
        "DateTime;Middelvindhastighed;Højeste vindstød\n2026-03-01;4,2;11,8\n2026-03-02;5,0;13,1\n",
        ["DateTime", "Middelvindhastighed", "Højeste vindstød"],
        2,
        ["2026-03-01", "4,2", "11,8"],
    ),
    "statistikbanken": Export(
        '"Folketal den 1. i kvartalet efter område og tid"\n""\n" ";"2025K3";"2025K4";"2026K1"\n'
        '"Hele landet";6001008;6011488;6025603\n"Region Hovedstaden";1911067;1914514;1920113\n',
        ["column_1", "2025K3", "2025K4", "2026K1"],
        2,
        ["Hele landet", "6001008", "6011488", "6025603"],
        encoding="windows-1252",
        said=("lines 1 to 2 were left out as a title",),
    ),
    "sap list": Export(
        "Material|Plant|Storage Location|Unrestricted|Base Unit\n10000417|1000|0001|1.250,000|PC\n"
        "10000418|1000|0001|17,000|PC\n",
        ["Material", "Plant", "Storage Location", "Unrestricted", "Base Unit"],
        2,
        ["10000417", "1000", "0001", "1.250,000", "PC"],
        encoding="iso-8859-1",
    ),
    "sap report": Export(
        "Bogførte poster\tFirma 1000\n\nBilagsnr.\tBogf.dato\tBeløb i firmavaluta\tTekst\n"
        "1900000001\t02.03.2026\t125,00-\tHusleje\n1900000002\t03.03.2026\t17,50\tGebyr\n1900000003\t04.03.2026\t1,00\tRente\n",
        ["Bilagsnr.", "Bogf.dato", "Beløb i firmavaluta", "Tekst"],
        3,
        ["1900000001", "02.03.2026", "125,00-", "Husleje"],
        encoding="utf-16",
        said=("lines 1 to 2 were left out as a title", "line 3 taken for the header"),
    ),
    "as400": Export(
        "KUNDENR;NAVN;ADRESSE;POSTNR;BYNAVN\n000417;SØREN ÆRØ;ÅGADE 2;8000;AARHUS\n"
        "000418;JØRGEN BÆK;SØVEJ 11;6700;ESBJERG\n",
        ["KUNDENR", "NAVN", "ADRESSE", "POSTNR", "BYNAVN"],
        2,
        ["000417", "SØREN ÆRØ", "ÅGADE 2", "8000", "AARHUS"],
        encoding="cp865",
        said=("code page 850",),
    ),
    "as400 in 850": Export(
        "nr;tekst;antal\n1;rødgrød på bær;3\n2;blåbær;4\n",
        ["nr", "tekst", "antal"],
        2,
        ["1", "rødgrød på bær", "3"],
        encoding="cp850",
        said=("code page 850",),
    ),
    "google analytics": Export(
        "# ----------------------------------------\n# Traffic acquisition: Session source\n# Account: Shop\n"
        "# Property: shop.example\n# ----------------------------------------\n#\n# Start date: 20260301\n"
        "# End date: 20260331\nSession source,Users,Sessions,Engagement rate\n(direct),512,640,0.61\n"
        "google,410,533,0.55\nnewsletter,77,90,0.71\n",
        ["Session source", "Users", "Sessions", "Engagement rate"],
        3,
        ["(direct)", "512", "640", "0.61"],
        said=("lines 1 to 8 were left out as a title", "line 9 taken for the header"),
    ),
    "universal analytics": Export(
        "# ----------------------------------------\n# All Web Site Data\n# Channels\n# 20260301-20260331\n"
        "# ----------------------------------------\n\nDefault Channel Grouping,Users,New Users,Bounce Rate,Revenue\n"
        'Organic Search,"1,204",988,41.20%,$0.00\nDirect,611,590,55.01%,$12.00\n,"1,815","1,578",45.10%,$12.00\n\n'
        "Day Index,Users\n3/1/26,61\n3/2/26,57\n",
        ["Default Channel Grouping", "Users", "New Users", "Bounce Rate", "Revenue"],
        3,
        ["Organic Search", "1,204", "988", "41.20%", "$0.00"],
        rejected=3,
        said=("lines 1 to 6 were left out as a title",),
    ),
    "stripe": Export(
        "id,Created date (UTC),Amount,Amount Refunded,Currency,Customer Email,Captured\n"
        "ch_3Nx1,2026-03-01 10:00:02,129.00,0.00,dkk,ida@mail.example,true\n"
        "ch_3Nx2,2026-03-01 11:31:54,59.00,59.00,dkk,,true\n",
        ["id", "Created date (UTC)", "Amount", "Amount Refunded", "Currency", "Customer Email", "Captured"],
        2,
        ["ch_3Nx1", "2026-03-01 10:00:02", "129.00", "0.00", "dkk", "ida@mail.example", "true"],
    ),
    "paypal": Export(
        '"Date","Time","TimeZone","Name","Type","Status","Currency","Gross","Fee","Net"\n'
        '"01/03/2026","09:12:44","CET","Ida Holm","Express Checkout Payment","Completed","DKK","1.250,00",'
        '"-28,10","1.221,90"\n'
        '"02/03/2026","10:44:02","CET","","General Withdrawal","Completed","DKK","-1.221,90","0,00","-1.221,90"\n',
        ["Date", "Time", "TimeZone", "Name", "Type", "Status", "Currency", "Gross", "Fee", "Net"],
        2,
        [
            "01/03/2026",
            "09:12:44",
            "CET",
            "Ida Holm",
            "Express Checkout Payment",
            "Completed",
            "DKK",
            "1.250,00",
            "-28,10",
            "1.221,90",
        ],
        encoding="utf-8-sig",
    ),
    "shopify": Export(
        "Name,Email,Financial Status,Paid at,Total,Lineitem name,Notes\n"
        '#1001,ida@mail.example,paid,2026-03-01 10:02:11 +0100,129.00,Kop,"Ring først\n\nTak"\n'
        "#1002,bo@mail.example,refunded,2026-03-01 11:12:09 +0100,59.00,Krus,\n",
        ["Name", "Email", "Financial Status", "Paid at", "Total", "Lineitem name", "Notes"],
        2,
        ["#1001", "ida@mail.example", "paid", "2026-03-01 10:02:11 +0100", "129.00", "Kop", "Ring først\n\nTak"],
    ),
    "covid time series": Export(
        "Province/State,Country/Region,Lat,Long,1/22/20,1/23/20,1/24/20\n,Denmark,56.2639,9.5018,0,1,4\n"
        "Greenland,Denmark,71.7069,-42.6043,0,0,0\n,Norway,60.472,8.4689,3,4,5\n",
        ["Province/State", "Country/Region", "Lat", "Long", "1/22/20", "1/23/20", "1/24/20"],
        3,
        [None, "Denmark", "56.2639", "9.5018", "0", "1", "4"],
    ),
    "percentiles": Export(
        "Station;10%;25%;50%;75%\nOdense;1,2;3,4;5,0;7,1\nRibe;0,9;3,0;4,8;6,6\n",
        ["Station", "10%", "25%", "50%", "75%"],
        2,
        ["Odense", "1,2", "3,4", "5,0", "7,1"],
    ),
    "age groups": Export(
        "kommune,0,10,20,30,40\nRibe,112,98,77,140,91\nVejle,210,205,190,260,240\n",
        ["kommune", "0", "10", "20", "30", "40"],
        2,
        ["Ribe", "112", "98", "77", "140", "91"],
    ),
    "excel saved with a title": Export(
        "Salgsrapport marts 2026;;;;\nUdskrevet af: IH;;;;\n;;;;\nVarenr;Varenavn;Antal;Pris;Beløb\n"
        "100;Kop;3;49,00;147,00\n101;Krus;2;59,00;118,00\nI alt;;5;;265,00\n",
        ["Varenr", "Varenavn", "Antal", "Pris", "Beløb"],
        2,
        ["100", "Kop", "3", "49,00", "147,00"],
        encoding="windows-1252",
        rejected=1,
        said=("lines 1 to 3 were left out as a title", "line 4 taken for the header"),
    ),
    "time recording with a block of facts": Export(
        "Medarbejder: IH\nPeriode: 2026-03\nAfdeling: Drift\nGodkendt: ja\n\nDato,Projekt,Timer,Note\n"
        "2026-03-02,Atlas,7.5,\n2026-03-03,Atlas,6.0,møde\n",
        ["Dato", "Projekt", "Timer", "Note"],
        2,
        ["2026-03-02", "Atlas", "7.5", None],
        said=("lines 1 to 5 were left out as a title",),
    ),
    "inverter": Export(
        "sep=;\nVersion CSV1|Tool SBFspot|Linebreaks CR/LF|Delimiter semicolon|Decimalpoint comma|Precision 3\n\n"
        ";SN: 2100;SN: 2100\n;SB 4000TL;SB 4000TL\n;2100;2100\n;Total yield;Power\n;Counter;Analog\n"
        "dd/MM/yyyy HH:mm;kWh;kW\n01/03/2026 10:00;12,410;1,200\n01/03/2026 10:05;12,510;1,250\n"
        "01/03/2026 10:10;12,610;1,300\n",
        ["dd/MM/yyyy HH:mm", "kWh", "kW"],
        3,
        ["01/03/2026 10:00", "12,410", "1,200"],
        said=("left out as a title", "line 9 taken for the header"),
    ),
    "eloverblik": Export(
        "MålepunktsID;Fra_dato;Til_dato;Mængde;Måleenhed;Kvalitet;Type\n"
        "571313100000000001;01-03-2026 00:00:00;01-03-2026 01:00:00;0,412;KWH;Målt;Tidsserie\n"
        "571313100000000001;01-03-2026 01:00:00;01-03-2026 02:00:00;0,388;KWH;Målt;Tidsserie\n",
        ["MålepunktsID", "Fra_dato", "Til_dato", "Mængde", "Måleenhed", "Kvalitet", "Type"],
        2,
        ["571313100000000001", "01-03-2026 00:00:00", "01-03-2026 01:00:00", "0,412", "KWH", "Målt", "Tidsserie"],
        encoding="utf-8-sig",
    ),
    "mailchimp": Export(
        '"Email Address","First Name","Last Name",MEMBER_RATING,OPTIN_TIME\n'
        'ida@mail.example,Ida,Holm,3,"2026-03-01 10:00:00"\nbo@mail.example,Bo,Lund,2,"2026-03-01 11:00:00"\n',
        ["Email Address", "First Name", "Last Name", "MEMBER_RATING", "OPTIN_TIME"],
        2,
        ["ida@mail.example", "Ida", "Holm", "3", "2026-03-01 10:00:00"],
    ),
    "logger without a header": Export(
        "2026-03-01 10:00,21.4,40\n2026-03-01 10:05,21.5,41\n2026-03-01 10:10,21.5,40\n",
        ["column_1", "column_2", "column_3"],
        3,
        ["2026-03-01 10:00", "21.4", "40"],
        said=("no header was found", "column_1 to column_3"),
    ),
    "members without a header": Export(
        "Ida Holm;Odense;Maler\nBo Lund;Ribe;Smed\nMette Krog;Vejle;Kok\nJens Friis;Aarhus;Tømrer\n",
        ["column_1", "column_2", "column_3"],
        4,
        ["Ida Holm", "Odense", "Maler"],
        said=("no header was found",),
    ),
    "matlab": Export(
        "% sensor log\n% unit 4\ntid,spænding,strøm\n0.1,3.2,0.01\n0.2,3.3,0.02\n0.3,3.3,0.02\n",
        ["tid", "spænding", "strøm"],
        3,
        ["0.1", "3.2", "0.01"],
        said=("lines 1 to 2 were left out as a title",),
    ),
    "two files joined": Export(
        "id,navn,beløb\n1,Kop,3\n2,Krus,4\nid,navn,beløb\n3,Fad,5\n",
        ["id", "navn", "beløb"],
        3,
        ["1", "Kop", "3"],
        rejected=1,
    ),
    "a query window": Export(
        "id\tname\tcreated\n1\tKop\t2026-03-01\n2\tKrus\tNULL\n\n(2 rows affected)\n",
        ["id", "name", "created"],
        2,
        ["1", "Kop", "2026-03-01"],
        rejected=1,
    ),
    "a Mac": Export(
        "navn;by;alder\rIda;Odense;41\rBo;Ribe;38\r",
        ["navn", "by", "alder"],
        2,
        ["Ida", "Odense", "41"],
    ),
    "utf-16 without a mark": Export(
        "navn;alder\nSøren;41\nÆgir;38\n", ["navn", "alder"], 2, ["Søren", "41"], encoding="utf-16-le"
    ),
    "utf-16 with a title": Export(
        "Medlemsliste\n\nnavn;alder\nSøren;41\nÆgir;38\n",
        ["navn", "alder"],
        2,
        ["Søren", "41"],
        encoding="utf-16",
        said=("lines 1 to 2 were left out as a title",),
    ),
    "ecb rates": Export(
        "Date,USD,JPY,BGN,\n2026-03-02,1.0821,162.11,1.9558,\n2026-03-03,1.0834,162.90,1.9558,\n",
        ["Date", "USD", "JPY", "BGN"],
        2,
        ["2026-03-02", "1.0821", "162.11", "1.9558"],
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_read_as_it_was_meant(tmp_path: Path, name: str) -> None:
    export = EXPORTS[name]
    path = tmp_path / "export.csv"
    path.write_bytes(export.text.encode(export.encoding))
    names, rows, rejects, said = read(path)
    assert (names, len(rows), rows[0]) == (export.names, export.rows, export.first)
    assert len(rejects.lines) == export.rejected, rejects.reasons
    told = " | ".join(said)
    assert all(words in told for words in export.said), told
    assert export.said or not said, f"nothing was to be said: {told}"
