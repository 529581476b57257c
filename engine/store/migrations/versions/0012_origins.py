"""What a token was made from; and owners of models are to be found anew"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sign_in_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("made_from", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_token_sign_in_id"), "sign_in", ["sign_in_id"], ["id"])
        batch_op.create_index(batch_op.f("ix_token_sign_in_id"), ["sign_in_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_token_made_from"), ["made_from"], unique=False)
    # a model's owner was the owner of the pipeline that ran last; nobody owns it until it is built again
    op.execute("UPDATE dataset SET owner = '' WHERE kind = 'model'")


def downgrade() -> None:
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_token_made_from"))
        batch_op.drop_index(batch_op.f("ix_token_sign_in_id"))
        batch_op.drop_constraint(batch_op.f("fk_token_sign_in_id"), type_="foreignkey")
        batch_op.drop_column("made_from")
        batch_op.drop_column("sign_in_id")
