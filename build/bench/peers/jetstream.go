package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// jets is NATS JetStream embedded in the process, with sync_interval always: flushed when put returns.
type jets struct {
	server *server.Server
	conn   *nats.Conn
	stream jetstream.JetStream
}

func openJetStream(dir string) (engine, error) {
	s, err := server.NewServer(&server.Options{JetStream: true, StoreDir: filepath.Join(dir, "jetstream"), SyncAlways: true, DontListen: true, NoSigs: true})
	if err != nil {
		return nil, err
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		return nil, errors.New("the NATS server did not start")
	}
	conn, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	_, err = js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "items", Subjects: []string{"items"}, Storage: jetstream.FileStorage})
	return &jets{server: s, conn: conn, stream: js}, err
}

func (j *jets) put(record []byte) error {
	_, err := j.stream.Publish(context.Background(), "items", record)
	return err
}

func (j *jets) close() error {
	j.conn.Close()
	j.server.Shutdown()
	j.server.WaitForShutdown()
	return nil
}
