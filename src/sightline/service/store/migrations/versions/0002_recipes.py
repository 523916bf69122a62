"""Recipes in JSON: an experiment may have several source datasets."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Move the one archive of each experiment to a table of sources."""
    op.create_table(
        "experiment_sources",
        sa.Column("experiment_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dataset_id", sa.String(length=32), nullable=True),
        sa.Column("variant_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name="fk_experiment_sources_experiment_id"
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name="fk_experiment_sources_dataset_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["variant_id"],
            ["dataset_variants.id"],
            name="fk_experiment_sources_variant_id",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("experiment_id", "position", name="pk_experiment_sources"),
    )
    op.create_index("ix_experiment_sources_dataset_id", "experiment_sources", ["dataset_id"], unique=False)
    op.execute(
        "INSERT INTO experiment_sources (experiment_id, position, dataset_id, variant_id) "
        "SELECT id, 0, dataset_id, variant_id FROM experiments"
    )
    with op.batch_alter_table("experiments") as batch:
        batch.add_column(sa.Column("recipe", sa.JSON(), nullable=True))
        batch.drop_constraint("fk_experiments_variant_id", type_="foreignkey")
        batch.drop_column("variant_id")


def downgrade() -> None:
    """Back to one archive: experiments of several sources keep their first."""
    with op.batch_alter_table("experiments") as batch:
        batch.add_column(sa.Column("variant_id", sa.String(length=32), nullable=True))
        batch.create_foreign_key(
            "fk_experiments_variant_id", "dataset_variants", ["variant_id"], ["id"], ondelete="SET NULL"
        )
        batch.drop_column("recipe")
    op.execute(
        "UPDATE experiments SET variant_id = (SELECT variant_id FROM experiment_sources "
        "WHERE experiment_id = experiments.id AND position = 0)"
    )
    op.drop_table("experiment_sources")
