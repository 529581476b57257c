"""Names of people: first names and family names of many languages, endings, titles, order and the words around."""

from engine.personal import names
from engine.personal.recognizer import Recognizer


class PersonRecognizer(Recognizer):
    """Reads sentences word by word, where the other recognizers have a pattern."""

    def find(self, text: str) -> list[tuple[int, int, float]]:
        """The names in one text."""
        return list(names.find(text))


recognizer = PersonRecognizer(
    "PERSON",
    rank=500,
    score=names.scores,
    header=r"\b(?:first ?name|fore ?name|given ?name|last ?name|family ?name|sur ?name|middle ?name|full ?name|maiden ?name|nick ?name|"
    r"fornavn\w*|efternavn\w*|mellemnavn\w*|kaldenavn|fuldenavn|fulde ?navn|personnavn|pigenavn|navne|vorname|nachname|"
    r"contact ?name|contact ?person|kontakt ?person\w*|person|person ?name|kontaktnavn|customer ?name|kunde ?navn|patient ?name|patientnavn|"
    r"employee ?name|medarbejder ?navn|card ?holder\w*|account ?holder\w*|kontohaver|next ?of ?kin|emergency ?contact|pårørende|paaroerende|"
    r"parent ?name|guardian|spouse|ægtefælle|aegtefaelle|recipient ?name|modtager ?navn|beneficiary|fname|lname|elevnavn|leder ?navn)\b",
    weak_header=r"\b(?:bill ?to|ship ?to|sold ?to|faktureres ?til|name|navn|customer|kunde|client|klient|patient|pt|contact|kontakt|owner|ejer|employee|medarbejder|ansat|leder|manager|chef|"
    r"supervisor|boss|reports ?to|recipient|modtager|sender|afsender|requester|reporter|assignee|assigned|agent|sagsbehandler|ansvarlig|"
    r"responsible|læge|laege|doctor|physician|behandler|teacher|lærer|laerer|elev|student|member|medlem|guest|gæst|gaest|tenant|lejer|driver|"
    r"chauffør|chauffoer|author|forfatter|created ?by|updated ?by|oprettet ?af|approver|godkender|sælger|saelger|sales ?rep|account ?manager|"
    r"holder|buyer|køber|koeber|konsulent|tekniker|vikar|mor|far|barn|child|mother|father|bruger|user|ref|vedr|deltager|participant|attendee|"
    r"signed ?by|underskriver|donor|sponsor|subscriber|abonnent|traveller|passenger|passager|kursist|kursusdeltager|andelshaver|medandelshaver|medlejer|beboer|forælder|foraelder|plus one|known ?as|kaldes|vicevært|mekaniker|montør|instruktør|træner|coach|hvem|who|operator|operatør|actor|klager|claimant|consignee|attn|host|vært|leverandørkontakt|counterparty|modpart|betaler|payer|payee|nok|kin|referent|dommer|sponsor|attention|att|\w+ by|af)\b|navn$",
    not_header=r"^(?!.*\b(?:kunde|customer|client|donor|debitor)\b).*\b(?:company|firma|virksomhed|supplier|leverandør|vendor)\b|\b(?:product|produkt|vare|item|file|fil|host|domain|city|by ?navn|bynavn|town|country|land|brand|"
    r"mærke|model|title|titel|event|campaign|table|branch|department|afdeling|category|kategori|album|track|genre|"
    r"artist|site|location|region|state|street|vejnavn|gadenavn|server|device|project|projekt|school|skole|bank|type|status|id|code|kode|count|"
    r"number|nummer|nr|no|date|dato|phone|tlf|email|mail|address|adresse|login|diagnose|medicin|language|currency|gender|køn|koen|role|rolle|"
    r"job|position|stilling)\b|\buser ?name\b|brugernavn",
)
