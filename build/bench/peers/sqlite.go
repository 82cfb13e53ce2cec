package main

import (
	"database/sql"
	"errors"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver
)

// sqlite is SQLite in WAL mode with synchronous=FULL: one row for each record, flushed when put returns.
type sqlite struct {
	db     *sql.DB
	insert *sql.Stmt
}

func openSQLite(dir string) (engine, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "sqlite.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("create table items (seq integer primary key, value blob not null)"); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	insert, err := db.Prepare("insert into items (value) values (?)")
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &sqlite{db: db, insert: insert}, nil
}

func (s *sqlite) put(record []byte) error {
	_, err := s.insert.Exec(record)
	return err
}

func (s *sqlite) close() error { return errors.Join(s.insert.Close(), s.db.Close()) }
