package crm

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/types"
	"go.yaml.in/yaml/v4"
)

// loader compiles the parts of one file.
type loader struct {
	*problems
	doc    *document
	root   *yaml.Node
	params scope // what is known before anything is asked
}

// The kinds of sign-in. All write their headers (or query) themselves; the type says what the window asks for.
var (
	authTypes      = []string{"none", "basic", "bearer", "api_key", "session", "oauth2"}
	laterAuthTypes = []string{"script"}
)

func (l *loader) auth() (headers, query []pair) {
	spec := l.doc.Auth
	place := find(l.root, "auth", "type")
	switch {
	case slices.Contains(laterAuthTypes, spec.Type):
		l.add(place, words("auth type %q is not supported yet", "认证类型 %q 暂不支持", spec.Type), oneOf("", authTypes))
	case spec.Type == "oauth2":
	case !slices.Contains(authTypes, spec.Type):
		l.add(place, words("unknown auth type %q", "未知的认证类型 %q", spec.Type), oneOf(spec.Type, authTypes))
	case spec.Type == "none" && len(spec.Headers)+len(spec.Query) > 0:
		l.add(place, words("auth type none takes no headers", "认证类型 none 不带 headers"), oneOf("", authTypes[1:]))
	case spec.Type != "none" && len(spec.Headers)+len(spec.Query) == 0:
		l.add(place, words("auth type %s needs headers", "认证类型 %s 需要 headers", spec.Type), words(
			`Write headers: {Authorization: "Bearer ${param.token}"}, or for basic "Basic ${toBase64(param.user + ':' + param.password)}".`,
			`请写 headers: {Authorization: "Bearer ${param.token}"}；basic 则写 "Basic ${toBase64(param.user + ':' + param.password)}"。`))
	}
	names := with(l.params, scope{"auth": l.authScope()})
	headers, query = l.pairs(spec.Headers, names), l.pairs(spec.Query, names)
	if spec.Type == "oauth2" && len(headers)+len(query) == 0 {
		headers = append(headers, l.bearer(names))
	}
	return headers, query
}

// bearer is the header of RFC 6750, under the prefix that the CRM wants.
func (l *loader) bearer(names scope) pair {
	prefix := "Bearer"
	if o := l.doc.Auth.OAuth2; o != nil && o.HeaderPrefix != "" {
		prefix = o.HeaderPrefix
	}
	return pair{"Authorization", l.template(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: prefix + " ${auth.access_token}"}, names)}
}

// authScope is what signing in leaves for the steps.
func (l *loader) authScope() types.Map {
	out := types.Map{}
	for name := range l.doc.Auth.Save {
		out[name] = types.Any
	}
	if o := l.doc.Auth.OAuth2; o != nil {
		out["access_token"] = types.String
		for name := range o.TokenFields {
			out[name] = types.String
		}
	}
	return out
}

// signIn compiles how requests sign in.
func (l *loader) signIn(e *Engine) signIn {
	switch l.doc.Auth.Type {
	case "session":
		return l.session(e)
	case "oauth2":
		return l.oauth2(e)
	}
	spec := l.doc.Auth
	if len(spec.Login)+len(spec.Save)+len(spec.RefreshOn) > 0 || !spec.ExpiresIn.IsZero() || spec.OAuth2 != nil {
		l.add(find(l.root, "auth"), words("auth type %s takes no login, save, expires_in, refresh_on or oauth2", "认证类型 %s 不使用 login、save、expires_in、refresh_on、oauth2", spec.Type),
			words("Remove them, or write type: session or oauth2.", "请删除，或改为 type: session 或 oauth2。"))
	}
	return constant{}
}

func (l *loader) pairs(from map[string]yaml.Node, names scope) []pair {
	var out []pair
	for _, name := range slices.Sorted(maps.Keys(from)) {
		node := from[name]
		if t := l.scalar(&node, names); t != nil {
			out = append(out, pair{name, t})
		}
	}
	return out
}

func (l *loader) templates(from map[string]yaml.Node, names scope) map[string]*template {
	out := map[string]*template{}
	for _, p := range l.pairs(from, names) {
		out[p.name] = p.value
	}
	return out
}

func (l *loader) hosts() []*template {
	if len(l.doc.Network.AllowHosts) == 0 {
		l.add(find(l.root, "network"), words("network.allow_hosts is missing", "缺少 network.allow_hosts"),
			words(`Name the hosts this connector may speak to: allow_hosts: ["${host(param.base_url)}"].`,
				`请列出允许访问的主机：allow_hosts: ["${host(param.base_url)}"]。`))
	}
	var out []*template
	for i := range l.doc.Network.AllowHosts {
		if t := l.scalar(&l.doc.Network.AllowHosts[i], l.params); t != nil {
			out = append(out, t)
		}
	}
	return out
}

func (l *loader) rules() []rule {
	names := with(l.params, scope{"res": resScope, "input": types.Any, "step": types.Any, "auth": l.authScope()})
	var out []rule
	for i := range l.doc.Errors {
		spec := &l.doc.Errors[i]
		place := strconv.Itoa(i)
		r := rule{when: l.scalar(&spec.When, names), class: class(spec.Class), message: l.scalar(&spec.Message, names), retryAfter: l.scalar(&spec.RetryAfter, names)}
		if spec.When.IsZero() || r.when != nil && !r.when.whole {
			l.add(find(l.root, "errors", place, "when"), words("when is not one expression", "when 不是单个表达式"),
				words(`Write it as when: "${res.json?.error != nil}".`, `请写成 when: "${res.json?.error != nil}"。`))
		}
		if !slices.Contains(classNames, spec.Class) {
			l.add(find(l.root, "errors", place, "class"), words("unknown error class %q", "未知的错误类别 %q", spec.Class), oneOf(spec.Class, classNames))
		}
		switch spec.Scope {
		case "", scopeConnector:
		case scopeOp:
			r.alone = true
		default:
			l.add(find(l.root, "errors", place, "scope"), words("unknown scope %q", "未知的范围 %q", spec.Scope), oneOf(spec.Scope, []string{scopeConnector, scopeOp}))
		}
		out = append(out, r)
	}
	return out
}

// How far a refusal goes.
const (
	scopeConnector = "connector"
	scopeOp        = "op"
)

func (l *loader) verify() string {
	all := []string{verifyStrict, verifyBlankOK, verifyOff}
	switch v := l.doc.Phone.Verify; {
	case v == "":
		return verifyStrict
	case !slices.Contains(all, v):
		l.add(find(l.root, "phone", "verify"), words("unknown way to verify %q", "未知的核对方式 %q", v), oneOf(v, all))
		return verifyStrict
	default:
		return v
	}
}

func (l *loader) candidates() []string {
	for i, name := range l.doc.Phone.Candidates {
		if candidateForms[name] == nil {
			l.add(find(l.root, "phone", "candidates", strconv.Itoa(i)), words("unknown spelling %q", "未知的写法 %q", name), oneOf(name, sortedKeys(candidateForms)))
		}
	}
	return l.doc.Phone.Candidates
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

func (l *loader) links() map[string]*template {
	for kind := range l.doc.DeepLink {
		if !slices.Contains(deepLinkKinds, kind) {
			l.add(find(l.root, "deep_link", kind), words("unknown kind of link %q", "未知的链接类型 %q", kind), oneOf(kind, deepLinkKinds))
		}
	}
	return l.templates(l.doc.DeepLink, with(l.params, scope{"input": types.Map{"id": types.String}, "auth": l.authScope()}))
}

func (l *loader) operations() map[string]*operation {
	out := map[string]*operation{}
	for _, name := range slices.Sorted(maps.Keys(l.doc.Operations)) {
		shape, known := shapes[name]
		if !known {
			l.unknownOp(name)
			continue
		}
		out[name] = l.operation(name, shape, l.doc.Operations[name])
	}
	for _, name := range []string{"whoami", "lookup", "log_call"} {
		if out[name] == nil {
			l.add(find(l.root, "operations"), words("operation %s is missing", "缺少操作 %s", name),
				words("Every connector needs whoami, lookup and log_call.", "每个连接器都需要 whoami、lookup 和 log_call。"))
		}
	}
	return out
}

func (l *loader) unknownOp(name string) {
	l.add(find(l.root, "operations", name), words("unknown operation %q", "未知的操作 %q", name), oneOf(name, opNames()))
}

func (l *loader) operation(name string, shape opShape, spec operationSpec) *operation {
	op := &operation{name: name, shape: shape}
	if len(spec.Steps) == 0 {
		l.add(find(l.root, "operations", name), words("operation %s has no steps", "操作 %s 没有步骤", name),
			words("Write steps: [{id: a, request: {url: …}}].", "请写 steps: [{id: a, request: {url: …}}]。"))
	}
	l.handsOn(name, spec)
	known := with(l.params, scope{"input": shape.input, "auth": l.authScope()})
	op.promise = l.promise(name, shape, spec, known)
	op.steps, known = l.steps([]string{"operations", name, "steps"}, spec.Steps, with(known, foundScope(op.strategy)))
	op.repeat.LooksFirst = op.strategy == probe
	op.repeat.Partial = shape.write && severalWrites(op.steps, spec.Steps)
	op.update = l.update(name, shape, spec)
	op.needs, op.agents, op.status = l.requires(name, spec), stepsName(spec.Steps, "input.agent"), stepsName(spec.Steps, "input.customer.status")
	done := with(known, scope{"res": resScope})
	op.mergeBy = l.scalar(&spec.MergeBy, with(done, scope{"item": types.Any}))
	if shape.list {
		op.mapping = l.result([]string{"operations", name, "map"}, spec.Map, shape, with(done, scope{"item": types.Any}))
		if shape.page != nil {
			op.output = l.result([]string{"operations", name, "output"}, spec.Output, opShape{fields: shape.page, needs: shape.page}, done)
		} else {
			l.noneOf(name, "output", spec.Output)
		}
	} else {
		op.output = l.result([]string{"operations", name, "output"}, spec.Output, shape, done)
		l.noneOf(name, "map", spec.Map)
	}
	return op
}

// severalWrites tells whether making a record takes several steps that write. Those that change one that was found are no part of making it.
func severalWrites(steps []step, specs []stepSpec) bool {
	n := 0
	for i := range steps {
		reads := steps[i].reads || steps[i].method == http.MethodGet || steps[i].method == http.MethodHead
		if !reads && !strings.Contains(specs[i].When.Value, "found != nil") {
			n++
		}
	}
	return n > 1
}

func (l *loader) requires(name string, spec operationSpec) []string {
	var ids []string
	for _, s := range l.doc.Setup {
		ids = append(ids, s.ID)
	}
	for i, id := range spec.Requires {
		if !slices.Contains(ids, id) {
			l.add(find(l.root, "operations", name, "requires", strconv.Itoa(i)), words("there is no setup %q", "没有名为 %q 的 setup", id), oneOf(id, ids))
		}
	}
	return spec.Requires
}

// steps compiles a list of steps and gives what may be named after them.
func (l *loader) steps(place []string, specs []stepSpec, names scope) ([]step, scope) {
	saved := types.Map{}
	names = with(names, scope{"step": saved})
	var out []step
	for i := range specs {
		out = append(out, l.step(slices.Concat(place, []string{strconv.Itoa(i)}), &specs[i], names))
		if !specs[i].Save.IsZero() {
			saved = with(saved, scope{specs[i].ID: types.Any})
			names = with(names, scope{"step": saved})
		}
	}
	return out, names
}

func (l *loader) noneOf(op, key string, spec map[string]yaml.Node) {
	if len(spec) > 0 {
		l.add(find(l.root, "operations", op, key), words("operation %s does not read %s", "操作 %s 不使用 %s", op, key),
			words("A list is read through items and map, a single result through output.", "列表用 items 和 map，单个结果用 output。"))
	}
}

// result compiles map or output: only known names, and none missing that the agent cannot do without.
func (l *loader) result(place []string, spec map[string]yaml.Node, shape opShape, names scope) map[string]*template {
	op, key := place[1], place[len(place)-1]
	for _, name := range slices.Sorted(maps.Keys(spec)) {
		if !slices.Contains(shape.fields, name) {
			l.add(find(l.root, slices.Concat(place, []string{name})...), words("unknown name %q in %s", "%[2]s 中有未知的名称 %[1]q", name, key), oneOf(name, shape.fields))
		}
	}
	for _, name := range shape.needs {
		if _, there := spec[name]; !there {
			l.add(find(l.root, place...), words("%s of %s lacks %q", "%[2]s 的 %[1]s 缺少 %[3]q", key, op, name),
				words(`Add %s: "${…}".`, `请补上 %s: "${…}"。`, name))
		}
	}
	return l.templates(spec, names)
}

func (l *loader) step(place []string, spec *stepSpec, names scope) step {
	s := step{id: spec.ID, method: strings.ToUpper(spec.Request.Method), when: l.scalar(&spec.When, names), foreach: l.scalar(&spec.Foreach, names)}
	if s.foreach != nil {
		names = with(names, scope{"each": types.Any})
	}
	if s.pages = l.pages(place, spec, names); s.pages != nil {
		names = with(names, scope{"page": pageScope})
	}
	if s.method == "" {
		s.method = http.MethodGet
	}
	if !slices.Contains(methods, s.method) {
		l.add(find(l.root, slices.Concat(place, []string{"request", "method"})...), words("unknown method %q", "未知的方法 %q", s.method), oneOf(s.method, methods))
	}
	if spec.ID == "" {
		l.add(find(l.root, place...), words("a step has no id", "步骤没有 id"), words("Write id: a.", "请写 id: a。"))
	}
	if s.when != nil && !s.when.whole {
		l.add(find(l.root, slices.Concat(place, []string{"when"})...), words("when is not one expression", "when 不是单个表达式"),
			words(`Write it as when: "${input.contact.id != nil}".`, `请写成 when: "${input.contact.id != nil}"。`))
	}
	if s.url = l.scalar(&spec.Request.URL, names); s.url == nil && spec.Request.URL.IsZero() {
		l.add(find(l.root, slices.Concat(place, []string{"request"})...), words("a step has no url", "步骤没有 url"),
			words(`Write url: "${param.base_url}/…".`, `请写 url: "${param.base_url}/…"。`))
	}
	s.query, s.headers = l.pairs(spec.Request.Query, names), l.pairs(spec.Request.Headers, names)
	s.body = l.bodyOf(place, &spec.Request, names)
	s.upload = l.upload(place, spec, names)
	answered := with(names, scope{"res": resScope})
	s.items, s.save = l.scalar(&spec.Items, answered), l.body(&spec.Save, answered)
	return s
}

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
