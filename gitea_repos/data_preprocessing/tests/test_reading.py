import pytest

from data_preprocessing.errors import Rejected
from data_preprocessing.params import Raw
from data_preprocessing.reading import read_csv


def read(tmp_path, content, **raw):
    path = tmp_path / "raw.csv"
    path.write_bytes(content)
    return read_csv(Raw(file="x.csv", **raw), path)


def test_cells_are_trimmed_and_rows_keep_their_line(tmp_path):
    table = read(tmp_path, b'\xef\xbb\xbf a ,b\r\n 1 ,"x\ny"\r\n\r\nNA,\xc3\xa4\r\n', null_values=["", "NA"])
    assert table.columns.tolist() == ["a", "b"]
    assert table.index.tolist() == [2, 5]
    assert table.values.tolist() == [["1", "x\ny"], [None, "ä"]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b"a,b\n", "header but no rows"),
        (b"PK\x03\x04\x00\x00", "binary"),
        (b"<!doctype html><p>404", "HTML"),
        (b"a;b\n1;2\n", "';' in it: set raw.delimiter"),
        (b"a,b\n1,2\n3\n", "Line 3 of the raw file has 1 cells, the header 2"),
        (b"a,b,a\n1,2,3\n", "names 'a' twice"),
        (b'a,b\n"1,2\n', "not a CSV"),
        (b"a,b\n\xe4,2\n", "not utf-8"),
    ],
)
def test_what_is_no_such_csv_is_refused_with_its_reason(tmp_path, content, reason):
    with pytest.raises(Rejected, match=reason):
        read(tmp_path, content)


def test_another_encoding_and_delimiter_are_read(tmp_path):
    assert read(
        tmp_path, "a|b\nä|2\n".encode("latin-1"), encoding="latin-1", delimiter="|"
    ).values.tolist() == [["ä", "2"]]


def test_a_missing_file_says_how_to_get_it(tmp_path):
    with pytest.raises(Rejected, match="fetch the raw data first"):
        read_csv(Raw(file="x.csv"), tmp_path / "raw.csv")
