-- pkictl's own: list by end and by name without reading every row.
CREATE INDEX certificates_expiry ON certificates(expiry);
CREATE INDEX certificates_common_name ON certificates(common_name);
