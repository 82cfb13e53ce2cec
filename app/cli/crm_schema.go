package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app/crm"
)

// crmSchema needs no CRM and no profile: it is for who writes a connector.
func (e *env) crmSchema() *cobra.Command {
	return command("schema", e.say("Print the JSON Schema of connector files, for editors", "输出连接器文件的 JSON Schema，供编辑器使用"), 0, func(context.Context, []string) error {
		_, err := e.Out.Write(crm.Schema())
		return err
	})
}

func (e *env) crmReference() *cobra.Command {
	return command("reference", e.say("Print every key, operation and function of connector files", "输出连接器文件的全部键、操作和函数"), 0, func(context.Context, []string) error {
		_, err := io.WriteString(e.Out, crm.Reference(e.say("en", "zh-CN")))
		return err
	})
}
