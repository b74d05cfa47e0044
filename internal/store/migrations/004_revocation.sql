-- pkictl's own: which certificates have taken the files of which. A row of
-- cfssl's has other metadata, or none that is JSON; it stands under NULL.
CREATE INDEX certificates_files ON certificates(
  CASE WHEN json_valid(metadata) THEN json_extract(metadata, '$.name') END,
  CASE WHEN json_valid(metadata) THEN json_extract(metadata, '$.out') END
);

-- What a revocation list says, without reading the certificates. The last
-- column is true of a serial whose certificate was never written.
CREATE INDEX certificates_revoked ON certificates(
  authority_key_identifier, expiry, serial_number, reason, revoked_at, pem = ''
) WHERE status = 'revoked';

-- The revocation lists that were signed. A number is taken before the
-- signature; the times say that the list was about to be published. Numbers are
-- decimal, as they may have 20 octets (RFC 5280, 5.2.3).
CREATE TABLE crls (
  authority_key_identifier blob NOT NULL,
  number                   text NOT NULL,
  this_update              timestamp,
  next_update              timestamp,
  PRIMARY KEY(authority_key_identifier, number)
);
