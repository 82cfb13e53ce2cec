package crm

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"ringside.dev/ringside/app/cti"
)

// maxFile caps a connector file, bytes.
const maxFile = 1 << 20

// Config says which connector to open. Connector and Region are required.
type Config struct {
	// Connector is a preset's id, or the path of a connector file.
	Connector string
	// Params fill the connector's parameters, secrets already taken from the keychain. They are not kept in errors or logs.
	Params map[string]string
	// Region is the ISO 3166-1 alpha-2 code in which the CRM's national numbers are read.
	Region string
	// Agent is the person for whom is written: what steps see as input.agent.
	Agent cti.Agent
	// Shared allows that writes are made as a user who is not the agent.
	Shared bool
	// Tokens keeps what signing in with OAuth 2 gives; nil: it is lost when the engine ends.
	Tokens Tokens
	// Mapping is the path of the site's mapping file, which says what else goes into which field of the CRM; empty: none.
	Mapping string
	// HTTP replaces the transport; nil is the one with TLS 1.2 and the environment's proxy. Fence and time-outs stay ours.
	HTTP *http.Client
	// Gates are shared with other engines that speak to the same endpoints; nil: the engine has its own.
	Gates *Gates
	// Log gets ids, statuses and classes, never customers' data; nil is slog.Default().
	Log *slog.Logger
}

// Open loads a connector and fills its parameters; it asks nothing of the CRM. The error is a *LoadError with everything that is
// wrong, or a cti.Error when the file cannot be read at all.
func Open(c Config) (*Engine, error) {
	name, text, err := source(c.Connector)
	if err != nil {
		return nil, err
	}
	p := &problems{file: name}
	doc, root := p.parse(text)
	if err := p.err(); err != nil {
		return nil, err
	}
	e, err := p.build(doc, root, c)
	if err != nil {
		return nil, err
	}
	e.site.path = c.Mapping
	_, err = e.ReadMapping()
	return e, err
}

func source(connector string) (name string, text []byte, err error) {
	if text, ok := preset(connector); ok {
		return connector + ".yaml", text, nil
	}
	if !strings.ContainsAny(connector, `./\`) {
		return "", nil, cti.Errorf(cti.Invalid, fmt.Sprintf("there is no CRM preset %q: choose one of %s, or give the path of a connector file",
			connector, strings.Join(presetIDs(), ", ")), nil)
	}
	info, err := os.Stat(connector)
	if err == nil && info.Size() > maxFile {
		return "", nil, cti.Errorf(cti.Invalid, fmt.Sprintf("the connector file is larger than %d bytes: is it the right file?", maxFile), nil)
	}
	if err == nil {
		text, err = os.ReadFile(connector)
	}
	if err != nil {
		return "", nil, cti.Errorf(cti.Invalid, "the connector file cannot be read: check crm.connector in the profile", err)
	}
	return filepath.Base(connector), text, nil
}

// parse reads the file into the schema's types and reports what does not belong there.
func (p *problems) parse(text []byte) (*document, *yaml.Node) {
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil {
		p.badYAML(err)
		return nil, nil
	}
	if len(root.Content) != 1 || root.Content[0].Kind != yaml.MappingNode {
		p.add(position{1, 1}, words("this is not a connector file", "这不是连接器文件"),
			words("It starts with apiVersion: %s and kind: %s.", "应以 apiVersion: %s 和 kind: %s 开头。", schemaVersion, kindConnector))
		return nil, nil
	}
	p.version(&root, kindConnector)
	if len(p.list) > 0 {
		return nil, nil // what follows was not written for this schema
	}
	checkKeys(p, root.Content[0], reflect.TypeFor[document]())
	if len(p.list) > 0 {
		return nil, nil
	}
	var doc document
	if err := root.Load(&doc, yaml.WithKnownFields()); err != nil {
		p.badYAML(err)
		return nil, nil
	}
	return &doc, &root
}

func (p *problems) version(root *yaml.Node, kind string) {
	for _, want := range []struct{ key, value string }{{"apiVersion", schemaVersion}, {"kind", kind}} {
		_, value := child(root.Content[0], want.key)
		if value == nil || value.Value != want.value {
			p.add(find(root, want.key), words("%s is not %s", "%s 不是 %s", want.key, want.value),
				words("Write %s: %s.", "请写 %s: %s。", want.key, want.value))
		}
	}
}

func (p *problems) badYAML(err error) {
	var all *yaml.LoadErrors
	var one *yaml.LoadError
	switch {
	case errors.As(err, &all):
		for _, e := range all.Errors {
			p.badYAMLAt(e)
		}
	case errors.As(err, &one):
		p.badYAMLAt(one)
	default:
		p.add(position{1, 1}, words("this is not YAML: %s", "不是有效的 YAML：%s", err), words("Correct the file.", "请修正文件。"))
	}
}

func (p *problems) badYAMLAt(e *yaml.LoadError) {
	p.add(position{max(e.Mark.Line, 1), max(e.Mark.Column, 1)}, words("the YAML cannot be read: %s", "YAML 无法读取：%s", e.Message),
		words("Check indentation, brackets, quotes and the kind of value.", "请检查缩进、括号、引号和值的类型。"))
}

func (p *problems) build(doc *document, root *yaml.Node, c Config) (*Engine, error) {
	e := &Engine{doc: doc, region: c.Region, agent: c.Agent, shared: c.Shared, tokens: c.Tokens, log: c.Log}
	if e.log == nil {
		e.log = slog.Default()
	}
	p.metadata(doc, root)
	params := p.paramScope(doc.Params, root)
	l := &loader{problems: p, doc: doc, root: root, params: scope{"param": params}}
	hosts := l.hosts()
	authHeaders, authQuery := l.auth()
	e.authHeaders, e.authQuery = authHeaders, authQuery
	e.signIn = l.signIn(e)
	e.rules, e.ops, e.links, e.verify, e.candidates = l.rules(), l.operations(), l.links(), l.verify(), l.candidates()
	e.setups, e.rights = l.setups(), l.rights()
	timeout, limit := l.exchange()
	gateLimits, sizes := l.gateLimits()
	e.params = p.readParams(doc.Params, c.Params)
	l.region(e)
	if err := p.err(); err != nil {
		return nil, err
	}
	l.sizes(&gateLimits, sizes, e.params)
	if err := p.err(); err != nil {
		return nil, err
	}
	if e.limits, e.gates = gateLimits, c.Gates; e.gates == nil {
		e.gates = &Gates{}
	}
	e.redact = newRedactor(secretsOf(doc.Params, e.params))
	allowed, err := allowedHosts(hosts, e.params)
	if err != nil {
		p.add(find(root, "network", "allow_hosts"), words("allow_hosts cannot be worked out: %s", "allow_hosts 无法得出：%s", e.redact.text(err.Error())),
			words("Check the parameters it is made of.", "请检查其所用的参数。"))
		return nil, p.err()
	}
	var secretHeaders []string
	for _, h := range authHeaders {
		secretHeaders = append(secretHeaders, h.name)
	}
	roots, err := l.authorities(e.params)
	if err != nil {
		return nil, err
	}
	e.http = newClient(c.HTTP, newFence(allowed), timeout, limit, secretHeaders, roots)
	return e, nil
}

// region is where the CRM's national numbers are read: the site's, or what a parameter says.
func (l *loader) region(e *Engine) {
	name := l.doc.Phone.RegionParam
	if name == "" {
		return
	}
	if !slices.ContainsFunc(l.doc.Params, func(p Param) bool { return p.Name == name }) {
		l.add(find(l.root, "phone", "region_param"), words("there is no parameter %q", "没有名为 %q 的参数", name), words("Declare it under params.", "请在 params 中声明。"))
		return
	}
	if text := textOf(e.params[name]); text != "" {
		e.region = text
	}
}

// authorities are those of the system and, where a parameter names its file, that of the company; nil: those of the system.
func (l *loader) authorities(params map[string]any) (*x509.CertPool, error) {
	name := l.doc.Network.TLS.CAParam
	if name == "" || textOf(params[name]) == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(textOf(params[name]))
	if err != nil {
		return nil, cti.Errorf(cti.Invalid, "the certificate file that crm.params."+name+" names cannot be read", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, cti.Errorf(cti.Invalid, "the file that crm.params."+name+" names holds no certificate: it must be PEM, beginning with -----BEGIN CERTIFICATE-----", nil)
	}
	return pool, nil
}

func (p *problems) metadata(doc *document, root *yaml.Node) {
	if doc.Metadata.ID == "" || doc.Metadata.Name == "" {
		p.add(find(root, "metadata"), words("metadata needs an id and a name", "metadata 需要 id 和 name"),
			words("Write metadata: {id: my-crm, name: My CRM}.", "请写 metadata: {id: my-crm, name: 我的 CRM}。"))
	}
	if m := doc.Metadata.Maturity; m != "" && !slices.Contains(maturities, m) {
		p.add(find(root, "metadata", "maturity"), words("unknown maturity %q", "未知的成熟度 %q", m), oneOf(m, maturities))
	}
}

var maturities = []string{"verified", "contract", "draft"}

func allowedHosts(hosts []*template, params map[string]any) ([]string, error) {
	var out []string
	for _, t := range hosts {
		h, err := t.text(vars{"param": params})
		if err != nil {
			return nil, err
		}
		if h == "" || strings.ContainsAny(h, "/*@ ") {
			return nil, fmt.Errorf("a host name, or host:port, is needed")
		}
		out = append(out, h)
	}
	return out, nil
}

// exchange gives the time-out of a request and the size of an answer.
func (l *loader) exchange() (time.Duration, int64) {
	timeout, limit := defaultTimeout, int64(maxResponse)
	if text := l.doc.Network.Timeout; text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 || d > maxTimeout {
			l.add(find(l.root, "network", "timeout"), words("timeout is not a duration up to %s", "timeout 不是 %s 以内的时长", maxTimeout),
				words("Write it as 8s.", "请写成 8s 的形式。"))
		}
		timeout = d
	}
	if n := l.doc.Network.MaxResponse; n != 0 {
		if n < 0 || n > maxResponse {
			l.add(find(l.root, "network", "max_response"), words("max_response is not between 1 and %d bytes", "max_response 不在 1 到 %d 字节之间", maxResponse),
				words("Leave it out, or narrow the query.", "请删除该项，或缩小查询范围。"))
		}
		limit = n
	}
	return timeout, limit
}
