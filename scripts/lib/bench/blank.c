/* The floor of everything here: a WebKitGTK window of the application's size that shows a sentence
   and does nothing. What it costs to start and to keep, no Tauri application can go below. */
#include <gtk/gtk.h>
#include <webkit2/webkit2.h>

int main(int argc, char **argv) {
  gtk_init(&argc, &argv);
  GtkWidget *window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
  gtk_window_set_title(GTK_WINDOW(window), "Blank");
  gtk_window_set_default_size(GTK_WINDOW(window), 1080, 740);
  GtkWidget *view = webkit_web_view_new();
  gtk_container_add(GTK_CONTAINER(window), view);
  webkit_web_view_load_html(
      WEBKIT_WEB_VIEW(view),
      "<!doctype html><body style='font: 20px sans-serif; color: #345'>"
      "<h1>Blank</h1><p>A sentence with letters enough to have edges of many shades.</p>",
      NULL);
  g_signal_connect(window, "destroy", G_CALLBACK(gtk_main_quit), NULL);
  gtk_widget_show_all(window);
  gtk_main();
  return 0;
}
