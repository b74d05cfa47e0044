package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/cluster"
)

// layoutEntry is a line of the layout as results show it.
type layoutEntry struct {
	Name       string   `json:"name"`
	Files      []string `json:"files"`
	Purpose    string   `json:"purpose"`
	SignedBy   string   `json:"signedBy,omitempty"`
	CommonName string   `json:"commonName,omitempty"`
	Groups     []string `json:"groups,omitempty"`
	Usages     []string `json:"usages,omitempty"`
	SANs       []string `json:"sans,omitempty"`
	Server     string   `json:"server,omitempty"`
}

type layoutNode struct {
	Node    string        `json:"node"`
	Entries []layoutEntry `json:"entries"`
}

func (a *app) clusterLayoutCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "layout",
		Short: "What the PKI of a control plane consists of",
		Long: `Show every file of a control plane's PKI: what it is for, who signs it, and the
subject, usages and names that it has to have. It is for the nodes
of the cluster directory, and where there are none for this machine.

init, check and renew go by the same table, which is kubeadm's.`,
		Example: `  pkictl cluster layout
  pkictl cluster layout -o yaml`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.clusterLayout() },
	}
}

func (a *app) clusterLayout() error {
	settings, isThere, err := cluster.ReadSettings(a.clusterDir)
	if err != nil {
		return err
	}
	if !isThere {
		settings, _ = cluster.SettingsFromFiles(a.clusterDir)
	}
	nodes, err := settings.Resolve()
	if err != nil {
		return err
	}
	var list []layoutNode
	for i, node := range nodes {
		entries, err := layoutOf(node, cluster.NodeDir(a.clusterDir, nodes, i))
		if err != nil {
			return err
		}
		list = append(list, layoutNode{Node: node.Name, Entries: entries})
	}
	value := struct {
		typeMeta
		Nodes []layoutNode `json:"nodes"`
	}{kind("ClusterLayout"), list}
	return a.print(value, func(w io.Writer) {
		for i, node := range list {
			if i > 0 {
				fmt.Fprintln(w)
			}
			showLayout(w, node.Entries)
		}
	})
}

func layoutOf(node cluster.Node, dir string) ([]layoutEntry, error) {
	var list []layoutEntry
	for _, e := range cluster.EntriesFor(node) {
		entry := layoutEntry{Name: e.Name, Files: e.Paths(dir), Purpose: e.Purpose, SignedBy: e.CA}
		switch e.Kind {
		case cluster.KindKeyPair:
			list = append(list, entry)
			continue
		case cluster.KindCA:
			entry.SignedBy = "itself"
		case cluster.KindKubeconfig:
			entry.Server = e.Server(node)
		}
		entry.CommonName, entry.Groups, entry.Usages = e.CommonName(node), e.Groups(node), e.Usages()
		sans, err := e.SANs(node)
		if err != nil {
			return nil, err
		}
		entry.SANs = sans.Strings()
		list = append(list, entry)
	}
	return list, nil
}

func showLayout(w io.Writer, entries []layoutEntry) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tSIGNED BY\tCN\tO\tUSAGES\tNAMES OR SERVER")
	for _, e := range entries {
		names := cmp.Or(e.Server, strings.Join(e.SANs, " "))
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(e.Files[0]), dash(e.SignedBy), printable(dash(e.CommonName)),
			printable(dash(strings.Join(e.Groups, " "))), dash(strings.Join(e.Usages, " ")), printable(dash(names)))
	}
	_ = t.Flush() // w is a buffer
	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range entries {
		fmt.Fprintf(t, "%s\t%s\n", e.Name, e.Purpose)
	}
	_ = t.Flush() // w is a buffer
}
