"""Names of people: how much a cell looks like one, and where they stand in a sentence."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

import polars as pl

from engine.personal import lexicon

FIRST = ("first_names", "danish_first_names", "world_first_names")
LAST = ("last_names", "danish_last_names", "world_last_names")
FREQUENT = ("frequent_first_names", "danish_first_names")
COMMON = ("common_words", "everyday_words")

# Endings of family names; a word with one of them is a family name even if no list has it.
ENDING = (
    r"(?:[bdfghjklmnprstv](?:sen|sens?son|sson|datter|dóttir|dottir)|(?:ia|ie|oe|ue|aa)sen|[dfklmnprt]son|gaard|gård|lund|holm|holt|mark|kilde|vang|høj|høi|lykke|borg|vig|ager|næs|have|strup|trup|toft|bjerg|berg|skov|kjær|kær|"
    r"dahl|dal|sted|rup|bæk|beck|bech|bo|by(?:e)?|kov|mose|krogh?|vad|feldt|felt|stein|stedt|ström|strøm|qvist|quist|kvist|gren|"
    r"ović|ovic|ević|evic|wski|wska|cki|cka|czyk|enko|chuk|ov|ova|ová|ev|eva|idis|opoulos|akis|ian|yan|oğlu|oglu|shvili|dze|"
    r"escu|eanu|elli|etti|ini|ucci|ez|mann|meier|bauer|berger|hoff|ham|ton|ley|worth|ford|field|man|kins|stone|wood|well)"
)
_ENDING = re.compile(rf"^\w{{2,}}{ENDING}$")
_COMPANY = (
    r"(?:bank(?:en)?|kontor(?:et)?|afdeling(?:en)?|udvalget|rådet|nævnet|teamet|administration(?:en)?|foreningen?|selskab(?:et)?|firma(?:et)?|service|teknik|byg|huset|værk(?:et)?|centret|center|skolen?|klinik(?:ken)?|"
    r"fonden|gruppen|transport|tryk|consult|invest|tech|soft|ware|systems?|kommune|styrelsen|forlag(?:et)?|klub(?:ben)?|kirke|butik(?:ken)?|"
    r"fabrik(?:ken)?|sygehus(?:et)?|hospital(?:et)?|museet|museum|handel|import|export|entreprise|logistik|spedition|marked(?:et)?|bageri(?:et)?)"
)
_COMPANY_WORD = re.compile(rf"^\w{{3,}}{_COMPANY}$")
_SURE_ENDING = r"(?:[bdfghjklmnprstv](?:sen|sson)|datter|dóttir|gaard|gård|ović|ovic|wski|wska|oğlu|shvili|escu|opoulos|enko|kjær|quist|qvist|toft)"
_WORD = r"\p{L}[\p{L}\p{M}.'’`-]*"


def scores(values: pl.Series) -> pl.Series:
    """How sure it is that each cell is a person's name: 0 to 1, from the lists, the endings and the form alone."""
    cells = (
        pl.DataFrame({"value": values})
        .with_row_index("cell")
        .with_columns(
            text=pl.col("value")
            .fill_null("")
            .str.normalize("NFC")
            .str.replace(r"\s*\([^)]*\)\s*$", "")
            .str.replace(
                r"(?i)^\s*(?:mr|mrs|ms|miss|dr|hr|fru|herr|frau)\.? (?:&|and|og|und) (?:mr|mrs|ms|miss|dr|hr|fru|herr|frau)\b",
                "Dr",
            )
            .str.strip_chars(" \t\u00a0")
        )
    )
    cells = cells.with_columns(
        odd=pl.col("text").str.contains(r"[\d@:;!?/\\#%*=+_<>\[\]{}|]")
        | (pl.col("text") == "")
        | (pl.col("text").str.len_chars() > 60),
        flat=(pl.col("text").str.to_lowercase() == pl.col("text"))
        | (pl.col("text").str.to_uppercase() == pl.col("text")),
        comma=pl.col("text").str.contains(r"^[^,]+, ?[^,]+$"),
        several=pl.col("text").str.contains(r"&|,.*,|\+| og | and "),
    )
    token = pl.col("token")
    bare = token.str.strip_chars(".,'’")
    tokens = (
        cells.select("cell", "flat", token=pl.col("text").str.extract_all(r"[^\s,]+"))
        .explode("token", empty_as_null=False)
        .with_columns(word=bare.str.to_lowercase().str.replace(r"['’]s$", ""), small=token.str.to_lowercase())
        .with_columns(part=pl.col("word").str.extract(r"^([^-]+)-"))
    )
    here = pl.concat([tokens["word"], tokens["part"].rename("word"), tokens["small"].rename("word")]).unique()
    first, last = lexicon.among(here, *FIRST), lexicon.among(here, *LAST)
    common, titles = lexicon.among(here, *COMMON), lexicon.among(here, "titles")
    frequent, elsewhere = lexicon.among(here, *FREQUENT), lexicon.among(here, "places", "brands")
    particles, forms = lexicon.among(here, "particles"), lexicon.among(here, "company_forms")
    words = (
        tokens.with_columns(title=pl.col("word").is_in(titles.implode()))
        .with_columns(
            first=pl.col("word").is_in(first.implode()) | pl.col("part").is_in(first.implode()).fill_null(False),
            last=pl.col("word").is_in(last.implode()) | pl.col("word").str.contains(rf"^\w{{2,}}{ENDING}$"),
            frequent=pl.col("word").is_in(frequent.implode()),
            sure_last=pl.col("word").str.contains(rf"^\w{{2,}}{_SURE_ENDING}(?:-\w+)?$"),
            common=pl.col("word").is_in(common.implode()),
            elsewhere=pl.col("word").is_in(elsewhere.implode()),
            particle=pl.col("word").is_in(particles.implode()),
            company=pl.col("word").is_in(forms.implode())
            | pl.col("small").is_in(forms.implode())
            | pl.col("word").str.contains(rf"^\w{{3,}}{_COMPANY}$")
            | (
                token.str.contains(r"^[\p{Lu}\d]{2,5}$")
                & ~pl.col("flat")
                & ~(pl.col("word").is_in(first.implode()) | pl.col("word").is_in(last.implode()))
            ),
            initial=token.str.contains(r"^\p{Lu}\.?$|^(?:\p{Lu}\.){2,3}$"),
            shaped=token.str.contains(rf"^{_WORD}$"),
            lower=token.str.contains(r"^\p{Ll}") & ~pl.col("flat"),
        )
        .with_columns(counted=~pl.col("title") & ~pl.col("particle"))
    )
    body = words.filter("counted")
    about = body.group_by("cell", maintain_order=True).agg(
        n=pl.len(),
        first0=pl.col("first").first(),
        last_word=(pl.col("last") | pl.col("first")).last(),
        sure_last=pl.col("sure_last").any(),
        frequent=pl.col("frequent").first(),
        elsewhere=pl.col("elsewhere").any(),
        any_last=pl.col("last").any(),
        names=(pl.col("first") | pl.col("last")).sum(),
        clear=((pl.col("first") | pl.col("last")) & ~pl.col("common")).sum(),
        common=pl.col("common").sum(),
        common_last=pl.col("common").last() & ~pl.col("last").last(),
        company=pl.col("company").any(),
        initials=pl.col("initial").sum(),
        unshaped=(~pl.col("shaped")).sum(),
        lower=pl.col("lower").sum(),
    )
    titled = words.group_by("cell").agg(titled=pl.col("title").first())
    known = cells.join(about, on="cell", how="left", maintain_order="left").join(
        titled, on="cell", how="left", maintain_order="left"
    )
    n, clear = pl.col("n"), pl.col("clear")
    initialled = (pl.col("initials") >= 1) & (n - pl.col("initials") >= 1)
    score = (
        pl.when(pl.col("odd") | n.is_null() | (pl.col("unshaped") > 0) | (n > 7))
        .then(0.0)
        .when(pl.col("company") | pl.col("text").str.contains("&"))
        .then(0.01)
        .when(pl.col("several"))
        .then(
            pl.when((pl.col("names") >= 2) & (pl.col("common") <= 1) & (pl.col("lower") <= 1)).then(0.6).otherwise(0.05)
        )
        .when((pl.col("lower") > 0) | (pl.col("common") >= pl.max_horizontal(n - 1, pl.lit(2))))
        .then(pl.when(pl.col("titled") & (clear > 0)).then(0.5).otherwise(0.04))
        .when(pl.col("titled") & (n <= 4))
        .then(pl.when(clear > 0).then(0.95).otherwise(0.7))
        .when(n == 1)
        .then(
            pl.when(pl.col("common") > 0)
            .then(pl.when("frequent").then(0.3).otherwise(0.08))
            .when(pl.col("elsewhere"))
            .then(pl.when(pl.col("frequent")).then(0.4).otherwise(0.1))
            .when(pl.col("first0"))
            .then(0.6)
            .when(pl.col("sure_last"))
            .then(0.55)
            .when(pl.col("any_last"))
            .then(0.35)
            .otherwise(0.15)
        )
        .when(initialled & (pl.col("names") > 0))
        .then(0.85)
        .when(pl.col("initials") > 0)
        .then(0.3)
        .when(pl.col("comma") & (pl.col("names") >= 1) & (pl.col("common") == 0))
        .then(0.85)
        .when(pl.col("first0") & pl.col("last_word") & (pl.col("common") <= 1) & (clear >= 1))
        .then(0.96)
        .when(pl.col("sure_last") & ~pl.col("common_last"))
        .then(0.85)
        .when(pl.col("first0") & ~pl.col("common_last") & (clear >= 1))
        .then(0.75)
        .when((pl.col("names") >= 2) & (clear >= 1))
        .then(0.75)
        .when((clear >= 1) & (pl.col("common") == 0))
        .then(0.5)
        .when((n <= 4) & (pl.col("common") == 0))
        .then(0.25)
        .otherwise(0.05)
    )
    return known.select(score.cast(pl.Float64).fill_null(0.0)).to_series()


def scores_known_header(values: pl.Series) -> pl.Series:
    """Whether a cell could be a name at all, under a column name that says that names stand there."""
    return values.str.contains(rf"^{_WORD}(?:[ ,]+{_WORD}){{0,6}}$").fill_null(False)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    word: str
    start: int
    end: int


_TOKEN = re.compile(r"(?<!\w)[^\W\d_](?:[^\W\d_]|['’´`-](?=[^\W\d_]))*\.?")
_LABEL = re.compile(r"\[[A-Z_]+\]")
_GENITIVE = re.compile(r"(?:['’]s?|s)$")


Entities = Sequence[tuple[int, int, str]]  # start, end and kind of what a language model found


class Lists:
    """The word lists as the sentence reader needs them."""

    def __init__(self) -> None:
        self.first = lexicon.words(*FIRST)
        self.frequent = lexicon.words(*FREQUENT) - lexicon.words("everyday_words")
        self.last = lexicon.words(*LAST)
        self.common = lexicon.words(*COMMON)
        self.plain = {
            w
            for w in self.common
            if w not in self.first and w in ("he", "she", "they", "we", "it", "you", "who", "that", "there", "what")
        }
        self.places, self.brands = lexicon.words("places"), lexicon.words("brands")
        self.titles = lexicon.words("titles")
        self.particles = lexicon.words("particles")
        self.forms = lexicon.words("company_forms")
        self.cues = lexicon.words("person_cues")
        self.leads = self.common | self.cues
        self.others = self.common | self.forms | self.particles


@cache
def lists() -> Lists:
    return Lists()


def _known(word: str, among: frozenset[str]) -> bool:
    if word in among:
        return True
    if "-" in word:
        return any(part in among for part in word.split("-"))
    return False


@lru_cache(1 << 16)
def _first(word: str, known: Lists) -> bool:
    return _known(word, known.first) or (
        len(word) > 3 and _GENITIVE.sub("", word) in known.first and word not in known.common
    )


@lru_cache(1 << 16)
def _last(word: str, known: Lists) -> bool:
    return (
        _known(word, known.last)
        or bool(_ENDING.match(_GENITIVE.sub("", word)))
        or _GENITIVE.sub("", word) in known.last
    )


_STRONG_CUE = re.compile(
    r"(?i)(?:\b(?:hedder|navn(?:et)? er|name is|name['’]s|named|called|i am|i['’]m|jeg er|this is|it['’]?s|det er|mvh|m\.v\.h\.?|vh|kh|knus|tillykke|(?:hilsen|hilsner|knus|kram|greetings|gave|gift|love|thanks|fødselsdagen) (?:fra|from|til|to)|fødselsdagen|ifølge|according to|aftalt med|forwarded by|sendt af|ansvarlig|responsible|birthday|congratulations|hilsen|hilsner|regards|"
    r"sincerely|cheers|dear|kære|hi|hello|hej|hey|v/|c/o|att\.?:?|attn\.?:?|(?:name|navn|user|customer|kunde|contact|kontakt|person|owner|ejer|bruger)[\"']?\s?[:=]\s?[\"']?|kontaktperson:?|contact:?|navn:|name:|signed:?|"
    r"mr|mrs|ms|dr|hr|fru|frk|prof|ovl|overlæge|læge|advokat|sagsbehandler|sygeplejerske|jordemoder|psykolog|employee|medarbejder(?:en)?|"
    r"colleague|kollega|bagvagt(?:en)?|forvagt(?:en)?|case ?worker|consultant|claimant|klager|skolelærer|barn(?:et)?|child|baby|customer|kunde(?:n)?|patient(?:en)?|pt|borger(?:en)?|user|bruger(?:en)?|elev(?:en)?|lejer(?:en)?|ansøger(?:en)?|"
    r"pårørende|mum|mom|dad|grandma|grandpa|gran|nan|auntie|cousin|fætter|kusine|bedstemor|bedstefar|ex|boss|roommate|flatmate|landlord|udlejer|nabo(?:en)?|neighbou?r|friend|ven|veninde|mother|father|brother|sister|son|daughter|partner|mormor|farmor|morfar|farfar|moster|onkel|uncle|aunt|tante|forælder|parent|guest|gæst(?:en)?|tenant|teacher|lærer(?:en)?|doctor|dentist|tandlæge|nurse|agent|driver|chauffør(?:en)?|tekniker(?:en)?|montør(?:en)?|konsulent(?:en)?|sælger(?:en)?|rådgiver(?:en)?|vikar(?:en)?|bogholder(?:en)?|leder(?:en)?|chef(?:en)?|manager|supervisor|assistant|assistent(?:en)?|formand(?:en)?|director|direktør(?:en)?|witness|vidne(?:t)?|ansatte|member|medlem(?:met)?|passenger|holder|kontakt|contact|signed by|underskrevet af|sincerely yours|name[sd]? (?:\w+ ){0,4}(?:is|are)|navnet (?:\w+ ){0,4}er|søn(?:nen)?|datter(?:en)?|mor|far|bror|søster|kone|mand|husband|wife|kæreste|cc|bcc|spoke (?:with|to)|"
    r"talte med|talt med|snakket med|møde med|meeting with|interview (?:for|with)|samtale med|mus med|ring(?: venligst)? til|call|"
    r"belongs to|tilhører|account holder|kontohaver|card ?holder)[\s.,:;!-]{0,3})$"
)
_GREETING = re.compile(r"(?i)(?:^|[\s,.!])(?:hej|hi|hello|dear|kære|hey|mvh|hilsen|thanks|tak)[ ,]{1,2}$")
_WEAK_CUE = re.compile(
    r"(?i)(?:\bw/ |\b(?:fra|from|med|with|til|to|hos|ved|af|by|for|efter|mod|og|and|eller|or|mellem|between|end|than|via|vedr\.?|regarding|om|about|vores|our|min|my|"
    r"ask|spørg|baby|née|født|ref|mobilepay|afbud|apologies)[\s:,]{0,2}|\w:\s)$"
)
_SIGNED = re.compile(r"(?:[.!?)]\s*[-–—/|]{1,2}|\n\s*[-–—/]?)\s*$")  # signs before a name at the end of a letter
_NOUN = re.compile(r"(?i)\b(?:the|a|an|this|new|den|det|denne|en|et|nye)\s$")
_OPENS = re.compile(r"(?:^|[.!?:;\n\"“”(\[{|•>\0–—-])\s*$")  # after these a capital letter says nothing
_CLAUSE = re.compile(r"(?i)\b(?:at|når|hvis|fordi|that|when|if|because|after|efter at)\s$")
_PLACE_CUE = re.compile(r"(?i)\b(?:i|in|at|på|near|nær)\s$")
_COMPANY_AFTER = re.compile(
    r"^(?:\s(?:&|og|and)\s\w+|\s[A-ZÆØÅ]\w*){0,4},?\s?(?:\b(?:ApS|Ltd|Inc|GmbH|AB|AS|LLC|AG|Oy)\b|A/S|I/S|K/S|P/S|B\.V\.|& (?:Co|Søn(?:ner)?|Sons?|Partners?|Cie|Brdr)\b)"
)
_SPEAKS = re.compile(
    r"(?i)^(?:\s*\([^)]{0,40}\))?[\s,]*(?:ringede|ringer|called|calls|skrev|skriver|wrote|writes|siger|sagde|said|says|er|is|var|was|har|has|had|havde|"
    r"ønsker|wants|bor|lives|fik|got|kommer|kom|came|arbejder|works|asked|spurgte|bad|oplyser|oplyste|reported|and I|og jeg|kontaktede|vil|"
    r"skal|kan|må|will|can|may|cannot|should|did|does|tager|tog|takes|took|mener|thinks|taler|kører|flytter|moved|sidder|sover|går|mangler|henter|hentes|overtager|has|needs|reviewed|started|starter|f\.|født|born|<|ville|klager|complained|mødte|met|underskrev|signed|bestilte|ordered|betalte|paid)\b"
)


def find(text: str, entities: Entities = ()) -> list[tuple[int, int, float]]:
    """Start, end and score of the names of people in one text; `entities` are a language model's, if it was asked."""
    found = [(start, end, _modelled(text, start, end, score, entities)) for start, end, score in _candidates(text)]
    return _together(text, found)


def _modelled(text: str, start: int, end: int, score: float, entities: Entities) -> float:
    """The score, given what a language model says of the same words: it knows sentences, not our lists."""
    for begin, stop, kind in entities:
        if begin < end and stop > start:
            several = " " in text[start:end]
            return score + {"PERSON": 0.35 if several else 0.3}.get(kind, -0.1)
    return score


_BETWEEN = re.compile(r"^\s?(?:&|og|and|samt|/|,)\s(?:og |and )?$")


def _together(text: str, found: list[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """What stands in a list with a name is a name: `Kh Mor, Ib & Yrsa`, and `Family, First`."""
    lifted = list(found)
    for order in (range(1, len(found)), range(len(found) - 2, -1, -1)):
        for n in order:
            other = n - order.step
            a, b = sorted((lifted[n], lifted[other]))
            enough = 0.42 if "," in text[a[1] : b[0]] else 0.2  # after a comma stands many a thing
            if lifted[other][2] >= 0.6 > lifted[n][2] >= enough and _BETWEEN.match(text[a[1] : b[0]]):
                lifted[n] = (lifted[n][0], lifted[n][1], lifted[n][2] + 0.42)
    return lifted


def _candidates(text: str) -> list[tuple[int, int, float]]:
    known = lists()
    text = _LABEL.sub(lambda m: "\0" * len(m.group()), text)
    shouting, small = text.upper() == text, text.lower() == text
    tokens = [_Token(m.group(), m.group().rstrip(".").lower(), m.start(), m.end()) for m in _TOKEN.finditer(text)]
    found: list[tuple[int, int, float]] = []
    at = 0
    while at < len(tokens):
        run = _run(text, tokens, at, known, shouting)
        if not run:
            found += _uncapitalised(text, tokens[at], known, small)
            at += 1
            continue
        at += len(run)
        found += _judged(text, run, known)
    return found


def _uncapitalised(text: str, token: _Token, known: Lists, small: bool) -> list[tuple[int, int, float]]:
    """A name in small letters, as people type in chats: only what is a name at first sight, and only where one is due."""
    word = token.word
    if not (token.text.islower() and len(word) > 2 and _known(word, known.first)) or word in known.others:
        return []
    before = text[max(0, token.start - 40) : token.start]
    score = 0.0
    if _GREETING.search(before[-12:]) or _cued(before):
        score = 0.8
    elif small and _known(word, known.frequent):
        after = text[token.end : token.end + 40]
        signed = not after.strip() and _SIGNED.search(before)
        score = 0.65 if len(word) > 4 or signed or _WEAK_CUE.search(before) or _SPEAKS.match(after) else 0.0
    elif small and len(word) > 4 and _WEAK_CUE.search(before):
        score = 0.62
    return [(token.start, token.start + len(word), score)] if score else []


def _name_like(token: _Token, known: Lists, shouting: bool, other: _Token | None = None) -> bool:
    """Whether a token is written like a name: `other`, its neighbour, vouches for a word all in capitals."""
    bare = token.text.rstrip(".")
    if not bare[:1].isupper():
        return False
    if len(bare) > 1 and bare.isupper():
        listed = _named(token.word, known)
        beside = other is not None and other.text.isupper() and len(other.word) > 2 and _named(other.word, known)
        enough = (listed and (len(bare) > 3 or shouting)) or (beside and len(bare) > 2)
        return enough and not (shouting and token.word in known.common)
    return True


def _run(text: str, tokens: list[_Token], at: int, known: Lists, shouting: bool) -> list[_Token]:
    """The longest row of capitalised words from here, with small family-name words and initials between them."""
    follower = tokens[at + 1] if at + 1 < len(tokens) else None
    if not _name_like(tokens[at], known, shouting, follower):
        return []
    run = [tokens[at]]
    for n in range(at + 1, min(at + 9, len(tokens))):
        previous, token = tokens[n - 1], tokens[n]
        gap = text[previous.end : token.start]
        ends = previous.text.endswith(("'s", "’s")) or (
            previous.text.endswith(".") and len(previous.text) > 2 and previous.word not in known.titles
        )
        if gap not in (" ", "\u00a0", "  ") or ends:
            break
        if _name_like(token, known, shouting, previous) or (
            token.word in known.particles
            and token.text.islower()
            and n + 1 < len(tokens)
            and (tokens[n + 1].word in known.particles or _name_like(tokens[n + 1], known, shouting))
        ):
            run.append(token)
        else:
            break
    while len(run) > 1 and run[-1].text.islower():
        run.pop()
    return run


def _judged(text: str, run: list[_Token], known: Lists) -> list[tuple[int, int, float]]:
    before_run = text[max(0, run[0].start - 40) : run[0].start]
    titled = False
    while run and _opens(run, titled, known):
        titled = titled or run[0].word in known.titles or run[0].word in known.cues
        before_run = text[max(0, run[0].start - 40) : run[0].end + 1]
        run = run[1:]
    while run and len(run) > 1 and run[-1].word in known.common and not _last(run[-1].word, known):
        run = run[:-1]
    if (
        len(run) > 2
        and _first(run[1].word, known)
        and not _named(run[0].word, known)
        and not _cued(before_run)
        and _OPENS.search(before_run)
    ):
        before_run, run = text[max(0, run[0].start - 40) : run[0].end + 1], run[1:]  # `Vidnet Leif Holm`
    if not run:
        return []
    after = text[run[-1].end : run[-1].end + 40]
    company = (t.word in known.forms or t.text.lower() in known.forms or _COMPANY_WORD.match(t.word) for t in run)
    if any(company) or _COMPANY_AFTER.match(after):
        return []
    words = [t for t in run if t.word not in known.particles]
    if not words:
        return []
    start, end = run[0].start, run[-1].end
    end -= text[start:end].endswith(".") and len(run[-1].text) != 2
    around = _Around(before_run, after, titled)
    score = (_one if len(words) == 1 else _several)(words, around, known)
    return [(start, end, min(score, 1.0))] if score > 0 else []


class _Around:
    """What stands before and after a row of words; each question is asked once, and only where it matters."""

    def __init__(self, before: str, after: str, titled: bool) -> None:
        self.before, self.after, self.titled = before, after, titled

    @cached_property
    def cue(self) -> bool:
        signed = not self.after.strip() and _SIGNED.search(self.before) is not None
        return self.titled or signed or _cued(self.before)

    @cached_property
    def weak(self) -> bool:
        """Whether the words before or after go well with a name."""
        return _spoken(self.after) or _weak(self.before)

    @cached_property
    def inside(self) -> bool:
        """Whether a capital letter means something here: it opens no sentence."""
        return _OPENS.search(self.before) is None

    @property
    def place(self) -> bool:
        return _PLACE_CUE.search(self.before) is not None


@lru_cache(1 << 14)
def _weak(before: str) -> bool:
    return _WEAK_CUE.search(before) is not None


@lru_cache(1 << 14)
def _spoken(after: str) -> bool:
    return _SPEAKS.match(after) is not None


_DIGIT = re.compile(r"^ ?\d(?!\d?[-./]\d)")


def _one(words: list[_Token], around: _Around, known: Lists) -> float:
    """How sure it is that one word alone is a name."""
    word = words[0].word
    if len(words[0].text.rstrip(".")) == 1:
        return 0.0
    if word in known.common:
        called = _known(word, known.first) and words[0].start > 0 and around.cue
        return 0.65 if called or (word in known.frequent and around.weak and around.inside) else 0.0
    first, elsewhere = _first(word, known), word in known.places or word in known.brands
    if elsewhere:
        score = 0.4 if first else 0.1
    elif first:
        score = 0.62
    else:
        score = 0.45 if _last(word, known) else 0.4 if len(word) > 2 and around.inside else 0.2
    if around.cue:
        return score + 0.42
    score += 0.2 if around.weak and not elsewhere else 0.0
    score += 0.3 if _CLAUSE.search(around.before) and _spoken(around.after) else 0.0
    score -= 0.25 if not first and (around.place or _DIGIT.match(around.after)) else 0.0
    return score - (0.45 if _NOUN.search(around.before) else 0.0)


def _several(words: list[_Token], around: _Around, known: Lists) -> float:
    """How sure it is that several capitalised words are one name."""
    firsts = [_first(t.word, known) and t.word not in known.common for t in words]
    lasts = [_last(t.word, known) and t.word not in known.common for t in words]
    elsewhere = any(t.word in known.places or t.word in known.brands for t in words)
    if firsts[0] and (any(lasts[1:]) or any(firsts[1:])):
        return 0.9 if not elsewhere else 0.62
    if firsts[0]:
        score = 0.75
    elif lasts[-1] and len(words) <= 4:
        score = 0.66
    elif any(len(t.text.rstrip(".")) == 1 for t in words):
        score = 0.66 if any(lasts) or around.inside or around.cue else 0.4
    elif any(firsts) or any(lasts):
        score = 0.6 if around.weak or around.cue else 0.5
    else:
        score = 0.4 if around.inside else 0.35
    if around.cue:
        return score + 0.3
    score += 0.2 if around.weak else 0.0
    score -= 0.2 if not firsts[0] and around.place else 0.0
    return score - (0.3 if elsewhere else 0.0)


_SHORT = re.compile(r"(?<=\w\w)['’](?:s|d|ll|ve|re|m|t)$")  # he'd, we'll


def _named(word: str, known: Lists) -> bool:
    return _first(word, known) or _last(word, known)


def _opens(run: list[_Token], titled: bool, known: Lists) -> bool:
    """Whether the first word only leads to the name: a title, a greeting, an everyday word at the start of a sentence."""
    word = run[0].word
    if len(run) > 1 and len(word) == 1 and run[0].text.endswith("."):
        return False  # `A. Holm`
    if len(run) > 1 and word in known.brands and word not in known.first:
        return True  # `MobilePay Ida Holm`
    if len(run) == 1 and run[0].start > 0 and _known(word, known.first) and word not in known.cues:
        return False  # `spørg efter Storm`
    if word in known.titles or _SHORT.sub("", word) in known.plain:
        return True
    if titled and len(run) <= 2 and _first(word, known) and word not in known.cues:
        return False
    return word in known.leads and not _pairs(run, known)


@lru_cache(1 << 14)
def _cued(before: str) -> bool:
    """Whether the words right before call for a name."""
    return _STRONG_CUE.search(before) is not None


def _pairs(run: list[_Token], known: Lists) -> bool:
    """Whether an everyday word at the start is the first name of what follows: `Line Skovbo`, `Storm M.`"""
    if not 2 <= len(run) <= 4 or not _first(run[0].word, known) or run[0].word in known.cues:
        return False
    if len(run[1].word) == 1:
        return run[0].word in known.frequent
    return _last(run[1].word, known) and run[1].word not in known.common
