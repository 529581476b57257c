"""The record of processing (GDPR Art. 30), as a PDF."""

from bot.client import Atlas
from bot.reply import Attachment, Reply
from bot.skill import skill


@skill(
    "gdpr report [{dataset}]",
    right="read:gdpr",
    help="the GDPR report as a PDF",
    example="gdpr report customers",
    holds="subjects",
)
async def gdpr(atlas: Atlas, dataset: str | None = None) -> Reply:
    document = await atlas.gdpr_report(dataset)  # once: each reading is a row in the audit log
    about = dataset or "all datasets"
    return Reply(
        f"The record of processing of {about} is ready: what is held, why, for how long, and how it is protected.",
        facts={"dataset": dataset},
        attachments=[
            Attachment("pdf", f"GDPR report of {about}", document, f"gdpr-report{f'-{dataset}' if dataset else ''}.pdf")
        ],
        next=[f"pii {dataset}", f"lineage {dataset}"] if dataset else ["datasets"],
        holds="subjects",
    )
