-- What notes the changes of shared rows is there only while this host shares (noted_changes.sql).
DROP TRIGGER shared_changes_noted;
DROP TRIGGER shared_claims_noted;
DROP TRIGGER shared_suppression_added;
DROP TRIGGER shared_suppression_gone;
DROP TRIGGER shared_earlier_gone;
DROP TRIGGER shared_strike_added;
DROP TRIGGER shared_strike_gone;
DROP TRIGGER shared_report_claimed;
DROP TRIGGER shared_report_taken_over;
DROP TRIGGER shared_report_gone;
DROP TRIGGER shared_tracker_asked;
DROP TRIGGER shared_suppression_expired;
DROP TRIGGER shared_earlier_expired;
DROP TRIGGER shared_report_expired;
DROP TRIGGER shared_tracker_expired;
DROP VIEW shared_changes;
DROP VIEW shared_claims;
