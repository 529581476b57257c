"""Versions that build upon others, parts of one source at a time, values of rejected rows"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("version", sa.Column("base_id", sa.Integer(), nullable=True))
    op.add_column("version", sa.Column("cursor", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("part", sa.Column("lane", sa.String(length=255), nullable=True))
    op.create_index(op.f("ix_part_lane_state"), "part", ["lane", "state"], unique=False)
    op.add_column("dead_letters", sa.Column("samples", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("dead_letters", sa.Column("others", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("dead_letters", schema=None) as batch_op:
        batch_op.drop_column("others")
        batch_op.drop_column("samples")
    op.drop_index(op.f("ix_part_lane_state"), table_name="part")
    with op.batch_alter_table("part", schema=None) as batch_op:
        batch_op.drop_column("lane")
    with op.batch_alter_table("version", schema=None) as batch_op:
        batch_op.drop_column("cursor")
        batch_op.drop_column("base_id")
