"""What the results of studies share: a sentence with its table, and the check of the metric that is asked for."""

from html import escape

from sim.errors import InputError
from sim.runs.frames import DataFrame
from sim.runs.metrics import check_metric, possible_metrics
from sim.runs.pictures import Pictured
from sim.scenario.scenario import Scenario


class Answer(Pictured):
    """A result that is said in a sentence and shown as a table."""

    @property
    def words(self) -> str:
        """The answer in a sentence."""
        raise NotImplementedError

    def frame(self) -> DataFrame:
        """What the answer rests on, as a table."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{self.words}>"

    def _repr_html_(self) -> str:
        """The sentence and the table, for notebooks."""
        return f"<p>{escape(self.words)}</p>{self.frame().to_html(index=False)}"


def check_metrics(scenario: Scenario, *metrics: str) -> None:
    """Raise InputError, naming close matches, for a metric that no run of the scenario can report, or that would be wrong."""
    possible = possible_metrics([commitment.name for commitment in scenario.billed_commitments()])
    for metric in metrics:
        check_metric(metric, possible)
        if scenario.month.hides(metric):
            raise InputError(f"{metric}: {scenario.month.words}")
