from penstock.formats.genai import read_genai
from penstock.formats.otlp_attributes import NUMBER_COLUMNS, TEXT_COLUMNS, column_of
from penstock.records.span import Span


def test_every_column_is_read_from_the_attribute_that_it_goes_out_as() -> None:
    for column, attribute in TEXT_COLUMNS.items():
        assert column in Span.__struct_fields__ and column_of(attribute) == column
        if not column.endswith(("messages", "instructions")):
            assert read_genai({attribute: "7"}).columns[column] == "7"
    for column, attribute in NUMBER_COLUMNS.items():
        assert column in Span.__struct_fields__ and column_of(attribute) == column
        assert column == "cost" or read_genai({attribute: 7}).columns[column] == 7


def test_other_attributes_have_no_column() -> None:
    assert column_of("customer.tier") is None
